//! Writes every kind of figure, light and dark, into the folder given: to be looked at after a change.

use std::path::PathBuf;

use emotion::{Confusion, LabelSet, Modalities, Scores};
use figures::{Axes, Divider, Figure, Group, Normalisation, Palette, Panel, Point, Series};
use limbic_figures as figures;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder = PathBuf::from(std::env::args().nth(1).ok_or("usage: gallery FOLDER")?);
    for (palette, name) in [(Palette::Light, "light"), (Palette::Dark, "dark")] {
        for (idx, figure) in gallery(palette)?.iter().enumerate() {
            figure.save_svg(&folder.join(format!("{idx}-{name}.svg")))?;
            figure.save_png(&folder.join(format!("{idx}-{name}.png")), 2.0)?;
            figure.save_csv(&folder.join(format!("{idx}.csv")))?;
        }
    }
    Ok(())
}

fn gallery(palette: Palette) -> Result<Vec<Figure>, Box<dyn std::error::Error>> {
    let mafw = [
        "anger",
        "disgust",
        "fear",
        "happiness",
        "neutral",
        "sadness",
        "surprise",
        "contempt",
        "anxiety",
        "helplessness",
        "disappointment",
    ];
    let matrix = |labels: LabelSet| {
        let n = labels.len();
        let pairs = (0..n * 60).map(|idx| {
            let truth = idx % n;
            (truth, if idx % 7 < 5 { truth } else { (idx * 31 / 7) % n })
        });
        Confusion::from_pairs(labels, pairs.collect::<Vec<_>>())
    };
    let curve = |name: &str, from: f64, to: f64, idx: usize, dashed: bool| Series {
        name: name.to_owned(),
        points: (1..=30)
            .map(|epoch| {
                let epoch = f64::from(epoch);
                [epoch, to + (from - to) * (-epoch / 8.0).exp() + (epoch * 1.7 + idx as f64).sin() * 0.02]
            })
            .collect(),
        color: figures::series_color(idx),
        dashed,
        ring: dashed.then_some(24),
    };
    let axes = Axes {
        x: "Epoch".to_owned(),
        y: "Cross-entropy loss".to_owned(),
        y_range: None,
        dividers: vec![
            Divider { x: 8.0, name: "Stage 1: voice".to_owned() },
            Divider { x: 9.0, name: "Transfer".to_owned() },
            Divider { x: 16.0, name: "Stage 2: joint".to_owned() },
        ],
    };
    let losses = [curve("Training", 1.9, 0.2, 0, false), curve("Validation", 1.95, 0.55, 0, true)];
    let groups: Vec<Group> =
        mafw.iter().map(|name| Group { name: (*name).to_owned(), color: figures::emotion_color(name) }).collect();
    let mut state = 1_u32;
    let mut noise = move || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        f64::from(state >> 8) as f32 / 16_777_216.0
    };
    let vectors: Vec<Vec<f32>> = (0..330)
        .map(|idx| (0..24).map(|dim| noise() * 2.0 + if idx % 11 == dim { 1.6 } else { 0.0 }).collect())
        .collect();
    let panel = |title: &str, at: Vec<[f64; 2]>| Panel {
        title: title.to_owned(),
        points: at.into_iter().enumerate().map(|(idx, at)| Point { at, group: idx % 11 }).collect(),
    };
    let tsne = figures::tsne(&vectors, figures::usual_perplexity(vectors.len()), 1, &mut |_, _| true);
    let per_subset = Modalities::subsets()
        .into_iter()
        .enumerate()
        .map(|(idx, set)| {
            let war = 0.5 + 0.065 * idx as f64;
            (set, Scores { war, uar: war - 0.03, macro_f1: war - 0.04 })
        })
        .collect();
    Ok(vec![
        figures::curves("Loss", &losses, &axes, palette),
        figures::confusion(&matrix(LabelSet::basic_seven()), Normalisation::Row, palette),
        figures::confusion(&matrix(LabelSet::new(mafw)?), Normalisation::None, palette),
        figures::confusion(&matrix(LabelSet::new(["no", "yes"])?), Normalisation::Column, palette),
        figures::scatter("Fused features (t-SNE)", &[panel("", tsne.clone())], &groups, palette),
        figures::scatter(
            "Prompt pool",
            &[panel("Principal components", figures::pca(&vectors)), panel("t-SNE", tsne)],
            &groups,
            palette,
        ),
        figures::subsets(&per_subset, Some(1.0 / 7.0), palette),
    ])
}
