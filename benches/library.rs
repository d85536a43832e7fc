//! One frame of the Library page with 20,000 clips while it scrolls: input, layout, what screen readers get, and
//! triangles.
//!
//! 16.7 ms are a frame at 60 a second, of which half is to be left for everything else.

#![allow(missing_docs, reason = "criterion's macros write undocumented functions")]
#![allow(clippy::unwrap_used)]

use criterion::{Criterion, criterion_group, criterion_main};
use egui::{Event as Input, Modifiers, MouseWheelSource, MouseWheelUnit, TouchPhase, vec2};
use egui_kittest::Harness;
use emotion::{Clip, LabelSet, Manifest, Modalities, Split};
use limbic::app::App;
use limbic::command::{Command, Import};
use limbic::project::{Places, Project};
use limbic::state::{Dataset, Event, PageName};

const N_CLIPS: usize = 20_000;

fn dataset(project: &Project) -> Dataset {
    let dir = project.dataset_dir("large");
    let mut manifest = Manifest::new("large", "csv", &dir, LabelSet::basic_seven());
    manifest.clips = (0..N_CLIPS)
        .map(|idx| Clip {
            id: format!("part{}/clip{idx:05}", idx % 40),
            path: format!("part{}/clip{idx:05}.mp4", idx % 40).into(),
            label: idx % 7,
            split: Split::ALL[idx % 3],
            speaker: Some(format!("speaker {}", idx % 300)),
            text: Some(format!("what is said in clip number {idx}")),
            duration_secs: Some(2.5),
            present: Some(Modalities::ALL),
            ..Clip::default()
        })
        .collect();
    let import = Import::new(dir.clone(), "large");
    Dataset::new("large", &dir, manifest, import)
}

/// A window that shows the Library page of a project with that dataset.
fn window(home: &std::path::Path) -> Harness<'static, App> {
    let places = Places::under(home);
    let mut window = Harness::builder()
        .with_size(vec2(1280.0, 800.0))
        .with_max_steps(30)
        .build_eframe(move |cc| App::new(&cc.egui_ctx, places).unwrap());
    let project = Project::create(&home.join("study")).unwrap();
    let datasets = vec![dataset(&project)];
    let app = window.state_mut();
    app.state.apply(Event::Opened { project, datasets, runs: Vec::new() });
    app.obey(Command::GoTo(PageName::Library));
    window.run_steps(10);
    window.hover_at(egui::pos2(600.0, 500.0));
    window.run_steps(10);
    window
}

fn frame(window: &mut Harness<'_, App>) -> usize {
    let wheel = Input::MouseWheel {
        unit: MouseWheelUnit::Point,
        delta: vec2(0.0, -40.0),
        phase: TouchPhase::Move,
        source: MouseWheelSource::Wheel,
        modifiers: Modifiers::NONE,
    };
    window.event(wheel);
    window.step();
    let output = window.output();
    window.ctx.tessellate(output.shapes.clone(), output.pixels_per_point).len()
}

fn benches(criterion: &mut Criterion) {
    let home = tempfile::tempdir().unwrap();
    let mut scrolling = window(home.path());
    criterion.bench_function("library, 20,000 clips, a frame while scrolling", |bencher| {
        bencher.iter(|| frame(&mut scrolling));
    });
}

criterion_group!(library, benches);
criterion_main!(library);
