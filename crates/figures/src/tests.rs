//! Figures as a whole: what they show, that they render, and that nothing runs into anything.

use std::collections::BTreeMap;

use emotion::{Confusion, LabelSet, Modalities, Scores};

use super::*;

fn matrix() -> Confusion {
    let labels = LabelSet::new(["calm & <low>", "情感"]).unwrap();
    Confusion { labels, counts: vec![vec![3, 1], vec![0, 0]] }
}

fn loss() -> Figure {
    let series = Series {
        name: "Loss".into(),
        points: vec![[1.0, 2.0], [2.0, f64::NAN], [3.0, 1.0], [4.0, 0.5]],
        color: ACCENT,
        dashed: false,
        ring: Some(3),
    };
    let axes = Axes { x: "Epoch".into(), y: "Loss".into(), ..Axes::default() };
    curves("Training", &[series], &axes, Palette::Light)
}

fn cloud() -> Figure {
    let point = |x: f64, group| Point { at: [x, -x], group };
    let panel = Panel { title: "Stage 1".into(), points: vec![point(0.0, 0), point(1.0, 1), point(f64::NAN, 0)] };
    let groups = [Group { name: "face".into(), color: ACCENT }, Group { name: "voice".into(), color: DANGER }];
    scatter("Pool", &[panel.clone(), panel], &groups, Palette::Dark)
}

fn every() -> Vec<Figure> {
    let scores = Scores { war: 0.9, uar: 0.8, macro_f1: 0.85 };
    let per_subset = BTreeMap::from([(Modalities::ALL, scores), (Modalities::subsets()[0], scores)]);
    let mut figures = vec![loss(), cloud(), subsets(&per_subset, Some(0.5), Palette::Light)];
    figures.extend(Normalisation::ALL.map(|normalisation| confusion(&matrix(), normalisation, Palette::Light)));
    // Nothing to show is shown as such.
    figures.push(curves("Empty", &[], &Axes::default(), Palette::Light));
    figures.push(scatter("Empty", &[], &[], Palette::Light));
    figures.push(subsets(&BTreeMap::new(), None, Palette::Dark));
    figures
}

#[test]
fn the_same_numbers_give_the_same_bytes() {
    for (one, two) in every().iter().zip(every()) {
        assert_eq!(*one, two);
        assert_eq!(one.png_bytes(1.0).unwrap(), two.png_bytes(1.0).unwrap());
    }
}

#[test]
fn pictures_have_the_size_asked_for() {
    for figure in every() {
        let (width, height, rgba) = figure.rgba(1.5).unwrap();
        let expected = [figure.width_px, figure.height_px].map(|side| (f64::from(side) * 1.5).round() as usize);
        assert_eq!([width, height], expected, "{}", figure.title);
        assert_eq!(rgba.len(), width * height * 4);
        assert!(rgba.iter().skip(3).step_by(4).all(|&alpha| alpha == 255), "the background covers everything");
    }
}

#[test]
fn text_renders_without_fonts_of_the_system() {
    // The title's line: anything but background there is text.
    let (width, _, rgba) = loss().rgba(1.0).unwrap();
    let line = &rgba[width * 4 * 16..width * 4 * 31];
    assert!(line.iter().filter(|&&byte| byte < 100).count() > 100);
}

#[test]
fn a_figure_is_saved_whole_in_three_formats() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join("new folder").join(name);
    let figure = confusion(&matrix(), Normalisation::Row, Palette::Light);
    figure.save_svg(&at("a.svg")).unwrap();
    figure.save_png(&at("a.png"), 2.0).unwrap();
    figure.save_csv(&at("a.csv")).unwrap();
    assert_eq!(std::fs::read_to_string(at("a.svg")).unwrap(), figure.svg);
    assert!(std::fs::read(at("a.png")).unwrap().starts_with(b"\x89PNG"));
    assert_eq!(
        std::fs::read_to_string(at("a.csv")).unwrap(),
        "true,calm & <low>,情感\ncalm & <low>,75,25\n情感,,\n",
        "a class without clips has no shares"
    );
    assert_eq!(std::fs::read_dir(folder.path().join("new folder")).unwrap().count(), 3, "no temporary file stays");
    std::fs::write(folder.path().join("file"), "").unwrap();
    let error = figure.save_svg(&folder.path().join("file/a.svg")).unwrap_err().to_string();
    assert!(error.contains("cannot save the figure"), "{error}");
}

#[test]
fn tables_hold_every_number() {
    let table = cloud().table;
    assert_eq!(table.header, ["panel", "group", "x", "y"]);
    assert_eq!(table.rows.len(), 6);
    assert_eq!(loss().table.rows[3], ["Loss", "4", "0.5"]);
}

#[test]
fn gaps_are_not_bridged() {
    let svg = loss().svg;
    assert_eq!(svg.matches("<polyline").count(), 1, "two points after the gap");
    assert_eq!(svg.matches("<circle").count(), 2, "one lone point and one ring");
    assert!(!svg.contains("NaN") && !svg.contains("inf"));
}

#[test]
fn the_largest_picture_is_bounded() {
    let (width, height, _) = cloud().rgba(1e9).unwrap();
    assert!(width.max(height) <= 16_384);
}

#[test]
fn curves_are_cut_where_a_training_ends_and_at_what_is_no_number() {
    let points = [[1.0, 0.5], [2.0, 0.4], [3.0, f64::NAN], [4.0, 0.3], [5.0, 0.9], [6.0, 0.8]];
    let cut = pieces(&points, &[0.5, 4.5]);
    assert_eq!(cut, [&points[..2], &points[3..4], &points[4..]]);
    assert_eq!(pieces(&points[..2], &[]), [&points[..2]]);
    assert!(pieces(&[], &[1.0]).is_empty());
}
