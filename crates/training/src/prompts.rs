//! The prompts of both stages and which modality activates each, for the map of the prompt pool.

use emotion::Modality;
use serde::{Deserialize, Serialize};

/// Every prompt of the stage-1 pools and of the joint pool.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct PromptMap {
    /// The prompts: stage 1 in the order V, A, T, then stage 2.
    pub rows: Vec<PromptMapRow>,
}

/// One prompt.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PromptMapRow {
    /// The paper's stage, 1 or 2.
    pub stage: usize,
    /// Row of its pool.
    pub prompt_idx: usize,
    /// Its key.
    pub key: Vec<f32>,
    /// How often training clips with a single modality chose it, in the order V, A, T.
    pub counts: [usize; 3],
}

impl PromptMapRow {
    /// The modality that activates it most; `None` if none does.
    pub fn modality(&self) -> Option<Modality> {
        let most = Modality::ALL.into_iter().max_by_key(|modality| {
            // The first of equals.
            (self.counts[modality.index()], std::cmp::Reverse(modality.index()))
        })?;
        (self.counts[most.index()] > 0).then_some(most)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_modality_is_the_most_frequent_the_first_of_equals() {
        let row = |counts| PromptMapRow { stage: 2, prompt_idx: 0, key: Vec::new(), counts };
        assert_eq!(row([1, 5, 2]).modality(), Some(Modality::Voice));
        assert_eq!(row([3, 3, 3]).modality(), Some(Modality::Face));
        assert_eq!(row([0; 3]).modality(), None);
    }
}
