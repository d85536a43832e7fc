//! Every page, opened empty, full and failing; and ways through them by mouse and keyboard.

mod deeds;
mod features;
mod importing;
mod models_page;
mod people;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use egui::{Key, Modifiers};
use egui_kittest::Harness;
use egui_kittest::kittest::Queryable as _;
use emotion::{Attribute, Clip, LabelSet, Manifest, Modalities, Prediction, Problem, Scale, Scores, Split};
use limbic::app::App;
use limbic::command::{Command, Import, LiveSource};
use limbic::project::{Places, Project, Settings};
use limbic::run::{ClipResult, Run};
use limbic::state::{Computed, Dataset, DialogFor, Event, Level, Map, Notice, PageName};
use media::sample_clips::{SampleSet, create};
use models::encoders::efficientnet::{EfficientNet, EfficientNetSize};
use models::{DeviceId, DeviceInfo, ModelKind};
use training::{AttributeScores, EpochRecord, Event as Told, Job, Outcome, Report, StopReason};

/// A window in a folder of its own.
struct Window {
    harness: Harness<'static, App>,
    home: tempfile::TempDir,
}

impl Window {
    fn open() -> Self {
        let home = tempfile::tempdir().unwrap();
        let places = Places::under(home.path());
        let harness = Harness::builder()
            .with_size(egui::vec2(1280.0, 800.0))
            .with_max_steps(30)
            .build_eframe(move |cc| App::new(&cc.egui_ctx, places).unwrap());
        Self { harness, home }
    }

    fn tell(&mut self, event: Event) {
        self.harness.state_mut().state.apply(event);
    }

    fn show(&mut self, page: PageName) {
        self.harness.state_mut().obey(Command::GoTo(page));
        self.settle();
    }

    /// Steps until nothing moves any more; a spinner of work in the background never rests.
    fn settle(&mut self) {
        self.harness.run_ok();
    }

    /// Steps until `done`, for what a worker does meanwhile.
    #[track_caller]
    fn wait_until(&mut self, done: impl Fn(&App) -> bool) {
        let until = Instant::now() + Duration::from_secs(60);
        while !done(self.harness.state()) {
            assert!(Instant::now() < until, "it did not happen in time");
            self.harness.step();
            std::thread::yield_now();
        }
        self.settle();
    }

    #[track_caller]
    fn sees(&self, words: &str) {
        assert!(self.harness.query_all_by_label_contains(words).next().is_some(), "there is no {words:?} to be seen");
    }
}

fn labels() -> LabelSet {
    LabelSet::basic(3)
}

fn dataset(dir: &Path) -> Dataset {
    std::fs::create_dir_all(dir).unwrap();
    let mut manifest = Manifest::new("faces", "csv", dir, labels());
    manifest.protocol = "speaker-independent".into();
    for idx in 0..40 {
        manifest.clips.push(Clip {
            id: format!("clip{idx:02}"),
            path: format!("clip{idx:02}.mp4").into(),
            label: idx % 3,
            split: Split::ALL[idx % 3],
            speaker: Some(format!("s{}", idx % 5)),
            text: Some("what a day".into()),
            duration_secs: Some(2.5),
            present: Some(Modalities::ALL),
            ..Clip::default()
        });
    }
    manifest.problems.push(Problem { path: "broken.mp4".into(), reason: "the file is cut off: skipped".into() });
    let import = Import::new(dir.to_owned(), "faces");
    Dataset::new("faces", dir, manifest, import)
}

fn report() -> Report {
    let scores = Scores { war: 0.9, uar: 0.88, macro_f1: 0.87 };
    Report {
        split: Split::Test,
        modalities: Modalities::ALL,
        n_clips: 13,
        scores,
        labels: labels(),
        confusion: vec![vec![4, 0, 0], vec![1, 4, 0], vec![0, 0, 4]],
        per_subset: Modalities::subsets().into_iter().map(|subset| (subset, scores)).collect::<BTreeMap<_, _>>(),
        attributes: Vec::new(),
    }
}

fn record(val_war: f64) -> EpochRecord {
    EpochRecord {
        train_loss: 1.0,
        train_war: 0.5,
        val_loss: 1.1,
        val_war,
        val_uar: val_war,
        learning_rate: 0.002,
        secs: 1.5,
        is_best: true,
    }
}

/// What a run tells from its start to the end of its first stage.
fn first_stage(name: &str, manifest: &Path) -> Vec<Told> {
    let job = Job::new(name, manifest, ModelKind::Umbenet, "tiny", &[]).unwrap();
    let stages = job.config.stages();
    vec![
        Told::Started {
            job: Box::new(job),
            labels: labels(),
            stages,
            n_train: 14,
            n_val: 13,
            n_parameters: 123_456,
            device: "2 threads".into(),
        },
        Told::StageStarted { stage: 0, epochs_done: 0 },
        Told::Step { stage: 0, epoch: 0, step: 1, n_steps: 2, loss: 1.2, remaining_secs: Some(90.0) },
        Told::EpochFinished { stage: 0, epoch: 0, record: record(0.4) },
        Told::EpochFinished { stage: 0, epoch: 1, record: record(0.6) },
        Told::StageFinished { stage: 0, reason: StopReason::TrainAccuracy, best_epoch: 1 },
    ]
}

fn finished_run(project: &Project, name: &str, manifest: &Path) -> Run {
    let mut run = Run::new(&project.run_dir(name));
    let end = [Told::Evaluated { report: report() }, Told::Finished { outcome: Outcome::Complete, checksum: None }];
    for event in first_stage(name, manifest).into_iter().chain(end) {
        run.record.apply(event);
    }
    run.predictions = (0..13)
        .map(|idx| ClipResult {
            clip: format!("clip{:02}", idx * 3 + 2),
            predicted: if idx == 12 { 0 } else { idx % 3 },
            truth: if idx == 12 { 1 } else { idx % 3 },
            split: Split::Test,
            probabilities: vec![0.2, 0.3, 0.5],
        })
        .collect();
    run
}

fn map(title: &str) -> Map {
    Map {
        points: (0..9).map(|idx| [f64::from(idx), f64::from(idx % 4)]).collect(),
        group: (0..9).map(|idx| idx % 3).collect(),
        groups: labels().names().to_vec(),
        names: (0..9).map(|idx| format!("clip{idx}")).collect(),
        title: title.into(),
    }
}

/// A window with a dataset, two trained runs, one interrupted run, devices and figures.
fn full() -> Window {
    let mut window = Window::open();
    let project = Project::create(&window.home.path().join("study")).unwrap();
    let dataset = dataset(&project.dataset_dir("faces"));
    let manifest = dataset.dir.join("manifest.json");
    let mut interrupted = Run::new(&project.run_dir("cut-short"));
    first_stage("cut-short", &manifest).into_iter().for_each(|event| interrupted.record.apply(event));
    let runs =
        vec![interrupted, finished_run(&project, "faces-1", &manifest), finished_run(&project, "faces-2", &manifest)];
    window.tell(Event::Opened { project, datasets: vec![dataset], runs });
    window.harness.state_mut().obey(Command::SelectRun("faces-1".into()));
    let maps = Computed::Ready(Arc::new(vec![map("Before"), map("After")]));
    window.tell(Event::Features { run: "faces-1".into(), maps: maps.clone() });
    window.tell(Event::Prompts { run: "faces-1".into(), maps });
    let info = |id, name: &str| DeviceInfo { id, name: name.into(), backend: "wgpu".into(), kind: "software".into() };
    window.tell(Event::Devices(vec![info(DeviceId::Cpu, "2 threads"), info(DeviceId::Gpu(0), "llvmpipe")]));
    window.tell(Event::Probed { device_idx: 0, outcome: Ok("works, 40 GFLOPS".into()) });
    window
}

#[test]
fn every_page_opens_empty_and_offers_a_next_step() {
    let mut window = Window::open();
    for (page, offer) in [
        (PageName::Home, "Create the sample project"),
        (PageName::Library, "Import clips…"),
        (PageName::Train, "Create the sample project"),
        (PageName::Runs, "Train a model"),
        (PageName::Insight, "Train a model"),
        (PageName::Live, "Train a model"),
        (PageName::Models, "Choose file… CLIP ViT-L/14"),
        (PageName::Settings, "Look again"),
    ] {
        window.show(page);
        assert!(window.harness.query_all_by_label(offer).next().is_some(), "{page:?} does not offer {offer:?}");
    }
}

#[test]
fn every_page_opens_full() {
    let mut window = full();
    for (page, words) in [
        (PageName::Home, "40 clips in 1 dataset"),
        (PageName::Library, "Clip clip00"),
        (PageName::Train, "Start training"),
        (PageName::Runs, "Run cut-short"),
        (PageName::Insight, "Export SVG…"),
        (PageName::Live, "Find devices"),
        (PageName::Settings, "gpu:0: llvmpipe"),
    ] {
        window.show(page);
        window.sees(words);
    }
}

#[test]
fn every_page_opens_while_things_fail() {
    let mut window = full();
    window.tell(Event::Probed { device_idx: 1, outcome: Err("the driver is missing".into()) });
    window.tell(Event::Notice(Notice {
        details: Some("caused by: no space left on device".into()),
        ..Notice::new(Level::Error, "The figure could not be exported")
    }));
    let failed = Computed::Failed("the dataset that it was trained on cannot be opened".into());
    window.tell(Event::Features { run: "faces-1".into(), maps: failed.clone() });
    window.tell(Event::LiveFailed("no model: /nowhere".into()));
    let mut run = Run::new(Path::new("/p/runs/bad"));
    run.record.apply(Told::Failed { message: "the loss became NaN".into() });
    window.tell(Event::TrainingEnded { run });
    window.harness.state_mut().obey(Command::SelectRuns(vec!["bad".into()]));
    for page in PageName::ALL {
        window.show(page);
        window.sees("The figure could not be exported");
    }
    window.show(PageName::Settings);
    window.sees("the driver is missing");
    window.show(PageName::Runs);
    window.sees("the loss became NaN");
}

#[test]
fn a_running_training_is_steered_from_its_page_and_seen_everywhere() {
    let mut window = full();
    let project = window.harness.state().state.project.clone().unwrap();
    window.tell(Event::JobStarted { id: 900, title: "Training “faces-3”".into() });
    window.tell(Event::TrainingStarted { run: Run::new(&project.run_dir("faces-3")), id: 900 });
    for event in first_stage("faces-3", &project.dataset_dir("faces").join("manifest.json")) {
        window.tell(Event::Training { run: "faces-3".into(), event });
    }
    window.show(PageName::Train);
    for control in ["Pause", "Stop and keep best", "Abort"] {
        assert!(window.harness.query_all_by_label(control).next().is_some(), "there is no {control}");
    }
    window.show(PageName::Library);
    window.sees("Training “faces-3”");
    window.sees("Pause training");
}

#[test]
fn the_palette_goes_anywhere_by_keyboard() {
    let mut window = full();
    window.harness.key_press_modifiers(Modifiers::COMMAND, Key::K);
    window.settle();
    for letter in ["i", "n", "s", "i", "g", "h", "t"] {
        window.harness.event(egui::Event::Text(letter.into()));
        window.settle();
    }
    window.harness.key_press(Key::Enter);
    window.settle();
    assert_eq!(window.harness.state().state.page, PageName::Insight);
    window.harness.key_press_modifiers(Modifiers::COMMAND, Key::K);
    window.settle();
    window.harness.key_press(Key::Escape);
    window.settle();
    window.harness.key_press(Key::Num8);
    window.settle();
    assert_eq!(window.harness.state().state.page, PageName::Settings);
}

#[test]
fn every_tab_of_insight_has_its_figure() {
    let mut window = full();
    window.show(PageName::Insight);
    for (tab, words) in [
        ("Confusion", "predicted sadness: 4 clips"),
        ("Prompt pool", "Before"),
        ("Features", "After"),
        ("Robustness", "VAT"),
        ("Training curves", "Losses"),
    ] {
        window.harness.get_by_label(tab).click();
        window.settle();
        window.sees(words);
    }
}

#[test]
fn a_cell_of_the_confusion_matrix_lists_its_clips() {
    let mut window = full();
    window.show(PageName::Insight);
    window.harness.get_by_label("Confusion").click();
    window.settle();
    let names = labels();
    let cell = format!("true {}, predicted {}: 1 clip", names.name(1), names.name(0));
    window.harness.get_by_label(&cell).click();
    window.settle();
    window.sees("Play clip38");
}

#[test]
fn a_run_of_ratings_shows_its_errors_and_the_halves_of_the_scale() {
    let mut window = full();
    let project = Project::create(&window.home.path().join("ratings")).unwrap();
    let mut run = finished_run(&project, "ratings", Path::new("manifest.json"));
    let truths = [-2.0, -1.0, 1.0, 2.5];
    run.record.apply(Told::Evaluated {
        report: Report {
            labels: Attribute::Valence.halves(),
            confusion: vec![vec![2, 0], vec![1, 1]],
            attributes: vec![AttributeScores::of(
                Attribute::Valence,
                &[-2.0, -1.0, -1.0, 2.5],
                &truths,
                Scale::SENTIMENT,
            )],
            ..report()
        },
    });
    run.predictions = (0..4)
        .map(|idx| ClipResult {
            clip: format!("clip{idx}"),
            predicted: usize::from(idx == 3),
            truth: idx / 2,
            split: Split::Test,
            probabilities: Vec::new(),
        })
        .collect();
    window.tell(Event::Opened { project, datasets: Vec::new(), runs: vec![run] });
    window.show(PageName::Runs);
    window.harness.state_mut().obey(Command::SelectRuns(vec!["ratings".into()]));
    window.settle();
    window.sees("Valence");
    window.sees("MAE 0.500");
    window.harness.state_mut().obey(Command::SelectRun("ratings".into()));
    window.show(PageName::Insight);
    window.harness.get_by_label("Confusion").click();
    window.settle();
    window.harness.get_by_label("true positive, predicted negative: 1 clip").click();
    window.settle();
    window.sees("Play clip2");
}

#[test]
fn a_clip_of_the_library_tells_about_itself() {
    let mut window = full();
    window.show(PageName::Library);
    window.harness.get_by_label_contains("Clip clip04").click();
    window.settle();
    window.sees("“what a day”");
    window.sees("Play in live");
}

#[test]
fn a_clip_is_closed_by_escape() {
    let mut window = full();
    window.show(PageName::Library);
    window.harness.get_by_label_contains("Clip clip04").click();
    window.settle();
    window.sees("Close the clip");
    window.harness.key_press(Key::Escape);
    window.settle();
    window.sees("About this dataset");
}

#[test]
fn what_is_chosen_from_a_list_by_keys_closes_it() {
    let mut window = full();
    window.show(PageName::Train);
    window.harness.get_by_label("Model and preset").focus();
    window.settle();
    window.harness.key_press(Key::Enter);
    window.settle();
    window.harness.get_by_label("MCR · tiny").focus();
    window.settle();
    window.harness.key_press(Key::Enter);
    window.settle();
    assert!(window.harness.query_by_label("MMA-DFER · tiny").is_none(), "the list is still open");
    window.sees("MCR");
}

#[test]
fn a_folder_that_was_moved_is_said_before_anything_fails_and_found_again() {
    let mut window = Window::open();
    let project = Project::create(&window.home.path().join("study")).unwrap();
    let folder = window.home.path().join("clips");
    create(&folder, &SampleSet { n_clips: 4, n_classes: 2, seed: 4 }, &|| true, &|_, _| {}).unwrap();
    let manifest = datasets::import(&folder, &datasets::Options::default()).unwrap();
    datasets::save(&manifest, &project.dataset_dir("clips").join("manifest.json")).unwrap();
    window.harness.state_mut().obey(Command::OpenProject(project.dir.clone()));
    window.wait_until(|app| app.state.datasets.len() == 1);
    assert!(!window.harness.state().state.datasets[0].is_away);
    let moved = window.home.path().join("moved");
    std::fs::rename(&folder, &moved).unwrap();
    window.show(PageName::Library);
    window.wait_until(|app| app.state.datasets[0].is_away);
    window.sees("Its folder is not there");
    window.show(PageName::Train);
    window.sees("The dataset's folder is not there: see Library");
    window.show(PageName::Home);
    window.sees("The folder of “clips” is not there: say where it is in the library.");

    window.show(PageName::Library);
    window.harness.state_mut().obey(Command::ReadAgain("clips".into()));
    window.wait_until(importing::looked_at);
    window.harness.state_mut().obey(Command::of_chosen(DialogFor::MovedFolder, moved.clone()));
    window.wait_until(importing::looked_at);
    window.harness.get_by_role_and_label(egui::accesskit::Role::Button, "Read again").click();
    window.wait_until(|app| app.state.import.is_none() && app.state.datasets[0].manifest.root == moved);
    assert!(!window.harness.state().state.datasets[0].is_away);
}

#[test]
fn a_training_that_could_not_begin_says_why_and_what_it_was_to_be() {
    let mut window = full();
    let project = window.harness.state().state.project.clone().unwrap();
    let job = Job::new("bad", Path::new("m.json"), ModelKind::Mcr, "tiny", &[]).unwrap();
    let dir = project.run_dir("bad");
    training::Run::at(&dir).create(&job).unwrap();
    window.tell(Event::JobStarted { id: 900, title: "Training “bad”".into() });
    window.tell(Event::TrainingStarted { run: Run::load(&dir).unwrap(), id: 900 });
    window.show(PageName::Train);
    window.sees("Getting ready");
    let mut run = Run::load(&dir).unwrap();
    run.record.apply(Told::Failed { message: "no clip has a voice".into() });
    window.tell(Event::TrainingEnded { run });
    window.settle();
    window.sees("no clip has a voice");
    assert!(window.harness.query_by_label("Getting ready").is_none());
    window.harness.state_mut().obey(Command::SelectRuns(vec!["bad".into()]));
    window.show(PageName::Runs);
    window.sees("MCR · tiny");
}

#[test]
fn live_offers_clips_of_the_dataset_that_its_model_knows() {
    let mut window = full();
    let other = window.home.path().join("others");
    let other = Dataset { name: "others".into(), ..dataset(&other) };
    window.tell(Event::Dataset(other));
    assert_eq!(window.harness.state().state.dataset.as_deref(), Some("others"));
    window.show(PageName::Live);
    window.sees("or one of “faces” that it was tested on");
}

#[test]
fn two_runs_are_compared() {
    let mut window = full();
    window.show(PageName::Runs);
    window.harness.state_mut().obey(Command::SelectRuns(vec!["faces-1".into(), "faces-2".into()]));
    window.settle();
    window.sees("What differs");
    window.sees("Delete 2 runs");
}

#[test]
fn live_shows_what_the_model_says_and_what_is_missing() {
    let mut window = full();
    let source = LiveSource::Devices { camera: Some("c".into()), microphone: Some("m".into()) };
    window.tell(Event::LiveStarting { source, run: "faces-1".into() });
    window.tell(Event::LiveStarted { labels: labels(), usable: Modalities::ALL, trained_on: Modalities::ALL });
    let prediction = Prediction {
        labels: labels(),
        probabilities: vec![0.1, 0.8, 0.1],
        values: Vec::new(),
        used: "va".parse().unwrap(),
        features: Vec::new(),
        unfused: Vec::new(),
        prompts: Vec::new(),
    };
    let smoothed = prediction.probabilities.clone();
    window.tell(Event::LivePrediction { at_secs: 1.0, prediction, smoothed, latency_ms: 12.0 });
    window.tell(Event::LiveNotice(live::Notice::NoFace));
    window.show(PageName::Live);
    for words in
        ["No face to be seen", "Face", "Voice", "Text", "Stop", "12 ms a prediction", "CAM: The camera is open"]
    {
        window.sees(words);
    }
    window.harness.get_by_label("Voice").click();
    window.settle();
    assert_eq!(window.harness.state().state.live.on.to_string(), "VT");
}

#[test]
fn a_deleted_run_comes_back_with_undo() {
    let mut window = Window::open();
    let project = Project::create(&window.home.path().join("study")).unwrap();
    let job = Job::new("a", Path::new("m.json"), ModelKind::Umbenet, "tiny", &[]).unwrap();
    training::Run::at(&project.run_dir("a")).create(&job).unwrap();
    window.harness.state_mut().obey(Command::OpenProject(project.dir.clone()));
    window.wait_until(|app| app.state.runs.len() == 1);
    window.harness.state_mut().obey(Command::SelectRuns(vec!["a".into()]));
    window.show(PageName::Runs);
    window.harness.get_by_label("Delete “a”").click();
    window.wait_until(|app| app.state.runs.is_empty());
    assert!(!project.run_dir("a").exists());
    window.wait_until(|app| !app.state.notices.is_empty());
    window.harness.get_by_label("Undo").click();
    window.wait_until(|app| app.state.runs.len() == 1);
    assert!(project.run_dir("a").exists());
}

#[test]
fn an_empty_folder_is_refused_with_a_reason() {
    let mut window = Window::open();
    let folder = window.home.path().join("nothing");
    std::fs::create_dir(&folder).unwrap();
    window.harness.state_mut().obey(Command::ShowImport(folder));
    window.wait_until(importing::looked_at);
    window.sees("Choose another layout or other columns");
    window.harness.get_by_label("Cancel").click();
    window.settle();
    assert!(window.harness.state().state.import.is_none());
}

/// Writes a safetensors file with the tensors of an EfficientNet-B2, 16-bit floats of zero.
fn write_efficientnet(path: &Path) {
    let device = burn::tensor::Device::flex();
    let network = EfficientNet::new(EfficientNetSize::B2, &mut models::Init::empty(&device));
    models::export(&network, path, &[]).unwrap();
}

#[test]
fn a_file_of_weights_is_chosen_verified_remembered_and_used() {
    let mut window = full();
    window.show(PageName::Models);
    for words in ["not here", "ViT-L-14.pt", "licence MIT", "needs no file", "incomplete"] {
        window.sees(words);
    }
    let path = window.home.path().join("enet.safetensors");
    write_efficientnet(&path);
    window.harness.state_mut().obey(Command::UseWeights { key: "efficientnet-b2", path: path.clone() });
    window.wait_until(|app| app.state.weights.get("efficientnet-b2").is_some_and(|own| own.fits("efficientnet-b2")));
    window.sees("fits");
    let expected = BTreeMap::from([("efficientnet".to_owned(), path.display().to_string())]);
    assert_eq!(window.harness.state().state.weights_of(ModelKind::Vavl, "paper"), expected);
    let places = Places::under(window.home.path());
    window
        .wait_until(|_| Settings::load(&places).is_ok_and(|settings| settings.weights.contains_key("efficientnet-b2")));

    // The same file is no CLIP, and the page says what it is instead.
    window.harness.state_mut().obey(Command::UseWeights { key: "clip-vit-l-14", path });
    let is_checked = |app: &App| matches!(&app.state.weights.get("clip-vit-l-14"), Some(own) if matches!(own.checked, Computed::Ready(_)));
    window.wait_until(is_checked);
    window.sees("This is EfficientNet-B2 of timm");
    window.sees("cannot be used");
    assert!(window.harness.state().state.weights_of(ModelKind::Umbenet, "paper").is_empty());

    // A file that is gone, or no checkpoint at all.
    window.harness.state_mut().obey(Command::UseWeights { key: "mae-face", path: "/nowhere/mae.pth".into() });
    window.wait_until(
        |app| matches!(&app.state.weights.get("mae-face"), Some(own) if matches!(own.checked, Computed::Failed(_))),
    );
    window.sees("/nowhere/mae.pth");
}

#[test]
fn weights_in_the_folder_for_them_are_found() {
    let mut window = full();
    let dir = window.home.path().join("models");
    std::fs::create_dir_all(&dir).unwrap();
    write_efficientnet(&dir.join("any name.safetensors"));
    std::fs::write(dir.join("notes.txt"), "not weights").unwrap();
    window.show(PageName::Models);
    window.harness.get_by_label("Look again").click();
    window.wait_until(|app| app.state.weights.contains_key("efficientnet-b2"));
    assert_eq!(window.harness.state().state.weights.len(), 1);
    // Nothing was chosen, so that there is nothing to forget.
    assert!(window.harness.query_by_label("Forget EfficientNet-B2 for faces").is_none());
}

#[test]
fn a_preset_without_its_files_says_which_and_where_to_choose_them() {
    let mut window = full();
    window.show(PageName::Train);
    window.harness.get_by_label("Model and preset").click();
    window.settle();
    window.harness.get_by_label("MMA-DFER · paper").click();
    window.settle();
    window.sees("This preset starts from MAE-Face");
    window.harness.get_by_label("Open Models").click();
    window.settle();
    assert_eq!(window.harness.state().state.page, PageName::Models);
}
