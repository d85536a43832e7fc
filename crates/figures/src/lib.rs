//! Figures from numbers, on screen and on paper.
