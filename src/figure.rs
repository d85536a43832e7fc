//! Figures for paper: what the window shows, drawn by `figures` and written to the exports folder.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use emotion::{Confusion, LabelSet, Modalities, Modality, Scores};
use figures::{Axes, Color, Divider, Figure, FigureError, Group, Normalisation, Palette, Panel, Point, Series};

use crate::run::Run;
use crate::state::{Computed, Map, State};

/// A figure that can be exported.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FigureKind {
    /// Losses and recalls of a run over all epochs.
    Losses(String),
    /// Validation recall of some runs.
    Recalls(Vec<String>),
    /// Confusion matrix of a run's test clips.
    Confusion {
        /// The run.
        run: String,
        /// What the cells say.
        normalisation: Normalisation,
    },
    /// Maps of a run's prompt pools.
    Prompts(String),
    /// Maps of a run's features.
    Features(String),
    /// Scores of a run with subsets of the modalities.
    Subsets(String),
}

/// The kind of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Vectors.
    Svg,
    /// Pixels, at twice the figure's size.
    Png,
    /// The numbers.
    Csv,
}

impl Format {
    /// All three, in the order of the buttons.
    pub const ALL: [Self; 3] = [Self::Svg, Self::Png, Self::Csv];

    /// The word on the button.
    pub fn name(self) -> &'static str {
        match self {
            Self::Svg => "SVG",
            Self::Png => "PNG",
            Self::Csv => "CSV",
        }
    }

    /// The end of the file's name.
    pub fn extension(self) -> &'static str {
        match self {
            Self::Svg => "svg",
            Self::Png => "png",
            Self::Csv => "csv",
        }
    }

    /// Writes `figure` to `path`.
    pub fn write(self, figure: &Figure, path: &Path) -> Result<(), FigureError> {
        match self {
            Self::Svg => figure.save_svg(path),
            Self::Png => figure.save_png(path, 2.0),
            Self::Csv => figure.save_csv(path),
        }
    }
}

impl FigureKind {
    /// A name for its file, without extension.
    pub fn file_name(&self) -> String {
        match self {
            Self::Losses(run) => format!("{run}-curves"),
            Self::Recalls(runs) => format!("{}-compared", runs.join("-")),
            Self::Confusion { run, .. } => format!("{run}-confusion"),
            Self::Prompts(run) => format!("{run}-prompts"),
            Self::Features(run) => format!("{run}-features"),
            Self::Subsets(run) => format!("{run}-modalities"),
        }
    }
}

/// The numbers of a figure, taken out of the state so that a worker can draw them.
#[derive(Debug, Clone)]
pub enum Draft {
    /// Curves over common axes.
    Curves {
        /// The title.
        title: String,
        /// The curves.
        series: Vec<Series>,
        /// The axes.
        axes: Axes,
    },
    /// A confusion matrix.
    Confusion {
        /// The counts.
        confusion: Confusion,
        /// What the cells say.
        normalisation: Normalisation,
    },
    /// Maps side by side.
    Maps {
        /// The title.
        title: String,
        /// The maps, all with the same groups.
        maps: Arc<Vec<Map>>,
        /// Colours of the groups.
        colors: Vec<Color>,
    },
    /// Scores by subsets of the modalities.
    Subsets {
        /// The scores.
        per_subset: BTreeMap<Modalities, Scores>,
        /// The share that guessing gets right.
        chance: f64,
    },
}

impl Draft {
    /// Takes the numbers of `kind` out of `state`; `None` while they are not there.
    pub fn collect(state: &State, kind: &FigureKind) -> Option<Self> {
        Some(match kind {
            FigureKind::Losses(run) => {
                let run = state.run_named(run)?;
                Self::Curves {
                    title: format!("Losses of {}", run.name),
                    series: losses(run),
                    axes: Axes { x: EPOCHS.into(), y: "Loss".into(), y_range: None, dividers: dividers(run) },
                }
            }
            FigureKind::Recalls(names) => {
                let runs: Vec<&Run> = names.iter().filter_map(|name| state.run_named(name)).collect();
                let dividers = if let [run] = runs[..] { dividers(run) } else { Vec::new() };
                let (title, y, series) = match runs[..] {
                    [run] => (format!("Recalls of {}", run.name), "Recall (%)", recalls(run)),
                    _ => {
                        let series = runs.iter().enumerate().map(|(idx, run)| recall(run, idx)).collect();
                        ("Validation recall".into(), "Validation WAR (%)", series)
                    }
                };
                let axes = Axes { x: EPOCHS.into(), y: y.into(), y_range: Some([0.0, 100.0]), dividers };
                Self::Curves { title, series, axes }
            }
            FigureKind::Confusion { run, normalisation } => Self::Confusion {
                confusion: state.run_named(run)?.record.report.as_ref()?.confusion(),
                normalisation: *normalisation,
            },
            FigureKind::Prompts(run) => {
                let Computed::Ready(maps) = state.analyses.get(run)?.prompts.as_ref()? else { return None };
                let colors = maps.first()?.groups.iter().map(|group| prompt_color(group)).collect();
                Self::Maps { title: "Prompt pool".into(), maps: Arc::clone(maps), colors }
            }
            FigureKind::Features(run) => {
                let Computed::Ready(maps) = state.analyses.get(run)?.features.as_ref()? else { return None };
                let labels = state.run_named(run)?.record.labels.as_ref()?;
                Self::Maps { title: "Features".into(), maps: Arc::clone(maps), colors: figures::label_colors(labels) }
            }
            FigureKind::Subsets(run) => {
                let report = state.run_named(run)?.record.report.as_ref()?;
                Self::Subsets { per_subset: report.per_subset.clone(), chance: chance(&report.labels) }
            }
        })
    }

    /// Draws the figure, for paper: dark on white.
    pub fn draw(&self) -> Figure {
        match self {
            Self::Curves { title, series, axes } => figures::curves(title, series, axes, Palette::Light),
            Self::Confusion { confusion, normalisation } => {
                figures::confusion(confusion, *normalisation, Palette::Light)
            }
            Self::Maps { title, maps, colors } => {
                let names = maps.first().map(|map| map.groups.clone()).unwrap_or_default();
                let groups: Vec<Group> =
                    names.into_iter().zip(colors).map(|(name, &color)| Group { name, color }).collect();
                let panels: Vec<Panel> = maps
                    .iter()
                    .map(|map| Panel {
                        title: map.title.clone(),
                        points: map.points.iter().zip(&map.group).map(|(&at, &group)| Point { at, group }).collect(),
                    })
                    .collect();
                figures::scatter(title, &panels, &groups, Palette::Light)
            }
            Self::Subsets { per_subset, chance } => figures::subsets(per_subset, Some(*chance), Palette::Light),
        }
    }
}

/// What lies along the horizontal axis of curves.
pub const EPOCHS: &str = "Epoch, all stages";

/// The share that guessing gets right, all classes alike.
pub fn chance(labels: &LabelSet) -> f64 {
    1.0 / labels.len() as f64
}

/// The name of the group of prompts that no modality activates.
pub const NOT_ACTIVATED: &str = "not activated";

/// The colour of a group of prompts, named as its modality.
pub fn prompt_color(group: &str) -> Color {
    let modality = Modality::ALL.into_iter().find(|modality| modality.name() == group);
    modality.map_or(crate::theme::NOT_ACTIVATED, figures::modality_color)
}

fn losses(run: &Run) -> Vec<Series> {
    let mut train = Vec::new();
    let mut val = Vec::new();
    for (epoch, record) in run.record.progress.iter().flat_map(|stage| &stage.epochs).enumerate() {
        train.push([(epoch + 1) as f64, record.train_loss]);
        val.push([(epoch + 1) as f64, record.val_loss]);
    }
    let series = |name: &str, points, color| Series { name: name.into(), points, color, dashed: false, ring: None };
    vec![series("training", train, figures::series_color(0)), series("validation", val, figures::series_color(1))]
}

/// Recalls in training and validation, as Insight shows them.
fn recalls(run: &Run) -> Vec<Series> {
    let curve = |name: &str, idx: usize, read: fn(&training::EpochRecord) -> f64| {
        let epochs = run.record.progress.iter().flat_map(|stage| &stage.epochs);
        let points = epochs.enumerate().map(|(epoch, record)| [(epoch + 1) as f64, read(record) * 100.0]).collect();
        Series { name: name.into(), points, color: figures::series_color(idx), dashed: false, ring: None }
    };
    vec![
        curve("training WAR", 0, |record| record.train_war),
        curve("validation WAR", 1, |record| record.val_war),
        curve("validation UAR", 2, |record| record.val_uar),
    ]
}

fn recall(run: &Run, idx: usize) -> Series {
    let epochs = run.record.progress.iter().flat_map(|stage| &stage.epochs);
    let points = epochs.enumerate().map(|(epoch, record)| [(epoch + 1) as f64, record.val_war * 100.0]).collect();
    Series { name: run.name.clone(), points, color: figures::series_color(idx), dashed: idx >= 4, ring: None }
}

/// Where a stage begins on the axis of all epochs.
fn dividers(run: &Run) -> Vec<Divider> {
    let mut at = 0.5;
    let mut dividers = Vec::new();
    for (plan, stage) in run.record.stages.iter().zip(&run.record.progress) {
        if !stage.epochs.is_empty() {
            dividers.push(Divider { x: at, name: plan.name.clone() });
        }
        at += stage.epochs.len() as f64;
    }
    dividers
}
