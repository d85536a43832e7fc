//! The commands as a script uses them, on real clips.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::LazyLock;

use serde_json::Value;
use tempfile::TempDir;

/// A folder with a sample dataset, its manifest and a run of two epochs a stage, made once for all tests.
pub struct World {
    dir: TempDir,
}

pub static WORLD: LazyLock<World> = LazyLock::new(|| {
    let world = World { dir: tempfile::tempdir().unwrap() };
    world.ok(&["sample", "demo", "--clips", "42", "--classes", "2", "--seed", "3"]);
    world.ok(&["import", "demo", "--out", "demo/manifest.json"]);
    world.ok(&["train", "--manifest", "demo/manifest.json", "--out", "run", "--epochs", "2", "--seed", "1"]);
    world
});

impl World {
    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_limbic"));
        command.args(args).args(["--device", "cpu"]).current_dir(self.dir.path());
        command.env("LIMBIC_HOME", self.path("home"));
        command
    }

    pub fn run(&self, args: &[&str]) -> Output {
        self.command(args).output().unwrap()
    }

    /// Runs a command that must succeed; its stdout.
    #[track_caller]
    pub fn ok(&self, args: &[&str]) -> String {
        let output = self.run(args);
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "limbic {}:\n{errors}", args.join(" "));
        String::from_utf8(output.stdout).unwrap()
    }

    /// Runs a command that must fail with exit code 1; its stderr.
    #[track_caller]
    pub fn fails(&self, args: &[&str], says: &str) {
        let output = self.run(args);
        let errors = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(1), "limbic {}:\n{errors}", args.join(" "));
        assert!(errors.contains(says), "limbic {} says\n{errors}\ninstead of {says:?}", args.join(" "));
    }
}

pub fn lines(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn checksum(path: &Path) -> String {
    blake3::hash(&std::fs::read(path).unwrap()).to_string()
}

#[test]
#[expect(clippy::print_stderr, reason = "a skipped comparison must be seen")]
fn detectors_in_the_models_folder_are_used_and_named() {
    let world = &*WORLD;
    let home = tempfile::tempdir().unwrap();
    let models = home.path().join("models");
    std::fs::create_dir(&models).unwrap();
    let prepare = || {
        let mut command = world.command(&["prepare", "--manifest", "demo/manifest.json", "--json"]);
        command.env("LIMBIC_HOME", home.path()).output().unwrap()
    };
    let found_by = || {
        let output = String::from_utf8(prepare().stdout).unwrap();
        lines(&output).pop().unwrap()["detectors"].as_str().unwrap().to_owned()
    };
    assert_eq!(found_by(), "faces by SeetaFace, built in; the whole sound is the voice");
    let path = models.join("face_detection_yunet.onnx");
    std::fs::write(&path, b"cut off").unwrap();
    let output = prepare();
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains(&path.display().to_string()));
    let published = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data/models/yunet/yunet_n_dynamic.onnx");
    match std::fs::copy(&published, &path) {
        Ok(_) => {
            assert_eq!(found_by(), format!("faces by YuNet, {}; the whole sound is the voice", path.display()));
        }
        Err(_) => eprintln!("skipped: there is no {}", published.display()),
    }
}

#[test]
fn evaluate_reports_every_subset() {
    let world = &*WORLD;
    let report =
        lines(&world.ok(&["evaluate", "run", "--split", "test", "--modalities", "va", "--json"])).pop().unwrap();
    let labels = report["labels"].as_array().unwrap().len();
    assert_eq!(report["confusion"].as_array().unwrap().len(), labels);
    let n: u64 = report["confusion"]
        .as_array()
        .unwrap()
        .iter()
        .flat_map(|row| row.as_array().unwrap())
        .map(|n| n.as_u64().unwrap())
        .sum();
    assert_eq!(report["n_clips"].as_u64(), Some(n));
    let subsets = report["per_subset"].as_object().unwrap();
    for subset in ["v", "a", "t", "va", "vt", "at", "vat"] {
        let war = subsets[subset]["war"].as_f64().unwrap();
        assert!((0.0..=1.0).contains(&war), "{subset} {war}");
    }
    assert_eq!(report["war"], subsets["va"]["war"]);
    assert!(report["uar"].is_number() && report["macro_f1"].is_number());
}

#[test]
fn the_run_folder_is_complete() {
    let world = &*WORLD;
    for name in [
        "job.toml",
        "events.jsonl",
        "report.json",
        "predictions.csv",
        "prompts.json",
        "best/model.toml",
        "best/model.safetensors",
        "best/card.md",
    ] {
        assert!(world.path("run").join(name).is_file(), "{name}");
    }
    let events = lines(&std::fs::read_to_string(world.path("run/events.jsonl")).unwrap());
    assert_eq!(events.last().unwrap()["event"], "finished");
    assert_eq!(events.iter().filter(|event| event["event"] == "epoch_finished").count(), 8, "four runs of two epochs");
}

#[test]
fn predict_writes_a_table() {
    let world = &*WORLD;
    let clips: Vec<String> = std::fs::read_dir(world.path("demo/clips"))
        .unwrap()
        .flatten()
        .take(2)
        .map(|entry| entry.path().display().to_string())
        .collect();
    world.ok(&["predict", "run", &clips[0], &clips[1], "--csv", "predicted.csv"]);
    let table = std::fs::read_to_string(world.path("predicted.csv")).unwrap();
    let rows: Vec<Vec<&str>> = table.lines().map(|line| line.split(',').collect()).collect();
    assert_eq!(rows[0][..2], ["clip", "label"]);
    assert_eq!(rows.len(), 3);
    for row in &rows[1..] {
        let sum: f64 = row[2..].iter().map(|value| value.parse::<f64>().unwrap()).sum();
        assert!((sum - 1.0).abs() < 1e-3, "{row:?}");
        assert!(rows[0][2..].contains(&row[1]), "{row:?}");
    }
}

#[test]
fn a_clip_that_lacks_something_is_predicted_and_told_apart() {
    let world = &*WORLD;
    // One second of a square wave: 16 kHz, mono, 16 bits.
    let header: [u32; 11] = [
        u32::from_le_bytes(*b"RIFF"),
        36 + 32000,
        u32::from_le_bytes(*b"WAVE"),
        u32::from_le_bytes(*b"fmt "),
        16,
        1 | 1 << 16,
        16000,
        32000,
        2 | 16 << 16,
        u32::from_le_bytes(*b"data"),
        32000,
    ];
    let wave = (0..16000).flat_map(|sample_idx| [4000_i16, -4000][sample_idx / 40 % 2].to_le_bytes());
    let sound: Vec<u8> = header.iter().flat_map(|word| word.to_le_bytes()).chain(wave).collect();
    std::fs::write(world.path("only.wav"), sound).unwrap();

    let output = world.run(&["predict", "run", "only.wav", "--csv", "only.csv"]);
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(3), "{errors}");
    assert!(errors.contains("only.wav: no video track"), "{errors}");
    assert_eq!(std::fs::read_to_string(world.path("only.csv")).unwrap().lines().count(), 2, "the prediction is kept");
    world.ok(&["predict", "run", "only.wav", "--modalities", "a"]);
}

#[test]
fn live_watches_a_file() {
    let world = &*WORLD;
    let clip = std::fs::read_dir(world.path("demo/clips")).unwrap().flatten().next().unwrap().path();
    let events = lines(&world.ok(&["live", "run", "--file", clip.to_str().unwrap(), "--json"]));
    let predictions: Vec<&Value> = events.iter().filter(|event| event["event"] == "prediction").collect();
    assert!(predictions.len() >= 2, "{events:?}");
    assert_eq!(events.first().unwrap()["event"], "started");
    assert_eq!(events.last().unwrap()["event"], "ended");
}

#[test]
fn an_export_predicts_the_same_elsewhere() {
    let world = &*WORLD;
    world.ok(&["export", "run", "--to", "exported"]);
    for name in ["model.toml", "model.safetensors", "model.bpk", "card.md"] {
        assert!(world.path("exported").join(name).is_file(), "{name}");
    }
    let scores = |model: &str| world.ok(&["evaluate", model, "--manifest", "demo/manifest.json", "--json"]);
    assert_eq!(scores("run"), scores("exported"));
    world.fails(&["export", "run", "--to", "exported"], "already holds a model");
}

#[test]
fn training_again_with_the_same_seed_gives_the_same_bits() {
    let world = &*WORLD;
    world.ok(&["train", "--manifest", "demo/manifest.json", "--out", "again", "--epochs", "2", "--seed", "1"]);
    let weights = |run: &str| checksum(&world.path(run).join("best/model.safetensors"));
    assert_eq!(weights("run"), weights("again"));
}

#[test]
fn a_killed_run_goes_on_to_the_same_bits() {
    let world = &*WORLD;
    // Dies in the second epoch of every stage run in turn; what is resumed then dies in the next.
    let args = ["train", "--manifest", "demo/manifest.json", "--out", "killed", "--epochs", "2", "--seed", "1"];
    for stage in 0..4 {
        let resume: &[&str] = if stage == 0 { &[] } else { &["--resume"] };
        let mut child = world
            .command(&[&args[..], resume, &["--json"]].concat())
            .stdout(std::process::Stdio::piped())
            .stderr(std::process::Stdio::null())
            .spawn()
            .unwrap();
        let events = std::io::BufRead::lines(std::io::BufReader::new(child.stdout.take().unwrap()));
        let in_second_epoch = events.map_while(Result::ok).any(|line| {
            let event: Value = serde_json::from_str(&line).unwrap();
            event["event"] == "step" && event["stage"] == stage && event["epoch"] == 1
        });
        assert!(in_second_epoch, "stage {stage} never got there");
        child.kill().unwrap();
        child.wait().unwrap();
    }
    world.ok(&["train", "--resume", "--out", "killed"]);
    let weights = |run: &str| checksum(&world.path(run).join("best/model.safetensors"));
    assert_eq!(weights("run"), weights("killed"));
}

#[test]
fn a_corpus_imports_with_its_fold_its_variant_and_mapped_labels() {
    let world = World { dir: tempfile::tempdir().unwrap() };
    let list = world.ok(&["import", "--list"]);
    assert!(list.contains("mafw") && list.contains("--variant compound"), "{list}");
    let corpus = format!("{}/crates/datasets/tests/assets/tweet-eval", env!("CARGO_MANIFEST_DIR"));
    let import = |labels: &str| {
        let args =
            ["import", &corpus, "--out", "tweets.json", "--importer", "tweet-eval", "--labels", labels, "--json"];
        lines(&world.ok(&args)).pop().unwrap()
    };
    let event = import("joy=happiness,optimism=happiness");
    assert_eq!(event["labels"], serde_json::json!(["anger", "happiness"]));
    assert_eq!((&event["clips"], &event["importer"]), (&5.into(), &"tweet-eval".into()));
    assert!(event["protocol"].as_str().unwrap().contains("optimism → happiness"), "{event}");
    assert_eq!(import("optimism=-")["clips"], 4);
    let fails = |more: &[&str], says| world.fails(&[&["import", &corpus, "--out", "x.json"], more].concat(), says);
    fails(&["--labels", "seven"], "say optimism=CLASS to merge, or optimism=- to leave the clips out");
    fails(&["--variant", "compound"], "no variant");
    assert_eq!(world.run(&["import", &corpus]).status.code(), Some(2), "--out is missing");
}

#[test]
fn clips_of_pictures_or_of_text_alone_are_prepared() {
    let world = World { dir: tempfile::tempdir().unwrap() };
    for (layout, faces, n_clips) in [
        ("dfew", "cropped", 3),
        ("ferv39k", "auto", 3),
        ("mafw", "cropped", 2),
        ("frame-lists", "auto", 3),
        ("fer-plus", "auto", 5),
        ("tweet-eval", "auto", 5),
    ] {
        let corpus = format!("{}/crates/datasets/tests/assets/{layout}", env!("CARGO_MANIFEST_DIR"));
        let manifest = format!("{layout}.json");
        world.ok(&["import", &corpus, "--out", &manifest, "--faces", faces, "--importer", layout]);
        let events = lines(&world.ok(&["prepare", "--manifest", &manifest, "--json"]));
        assert_eq!(
            (&events.last().unwrap()["clips"], &events.last().unwrap()["of"]),
            (&n_clips.into(), &n_clips.into())
        );
        let skipped = |event: &&Value| event["reason"].as_str().is_some_and(|reason| reason.contains("skipped"));
        assert_eq!(events.iter().find(skipped), None, "{layout}");
    }
}

#[test]
fn whose_face_it_is_stays_in_the_manifest() {
    let world = World { dir: tempfile::tempdir().unwrap() };
    for (class, byte) in [("anger", 10), ("fear", 200)] {
        std::fs::create_dir_all(world.path("pictures").join(class)).unwrap();
        let picture = image::RgbImage::from_pixel(32, 32, image::Rgb([byte; 3]));
        picture.save(world.path("pictures").join(class).join("a.png")).unwrap();
    }
    let person = || {
        let text = std::fs::read_to_string(world.path("m.json")).unwrap();
        serde_json::from_str::<Value>(&text).unwrap()["person"].clone()
    };
    let import = ["import", "pictures", "--out", "m.json"];
    world.ok(&import);
    assert_eq!(person(), Value::Null, "the largest, as usual");
    world.ok(&[&import[..], &["--person", "centre"]].concat());
    assert_eq!(person(), "centre");
    world.ok(&["prepare", "--manifest", "m.json", "--person", "0.25,0.5"]);
    let place = serde_json::json!({ "point": { "x": 0.25, "y": 0.5 } });
    assert_eq!(person(), place);
    world.ok(&import);
    assert_eq!(person(), place, "kept where nothing else is said");
}

#[test]
fn mistakes_are_told_apart() {
    let world = &*WORLD;
    std::fs::create_dir_all(world.path("empty")).unwrap();
    world.fails(&["import", "empty", "--out", "x.json"], "empty");
    world.fails(&["import", "nowhere", "--out", "x.json"], "nowhere");
    world.fails(&["train", "--manifest", "demo/manifest.json", "--out", "run"], "already holds a run");
    world.fails(&["train", "--manifest", "nowhere.json", "--out", "new"], "nowhere.json");
    world.fails(&["train", "--manifest", "demo/manifest.json", "--out", "new2", "--set", "topk=3"], "top_k");
    world.fails(&["train", "--resume", "--out", "nothing-here"], "no run to resume");
    world.fails(&["evaluate", "empty"], "no trained model");
    world.fails(&["predict", "run", "demo/labels.csv"], "labels.csv");
    assert_eq!(world.run(&["evaluate", "run", "--modalities", "xyz"]).status.code(), Some(2));
    assert_eq!(world.run(&["evaluate", "run", "--split", "all"]).status.code(), Some(2));
}

#[test]
fn a_checkpoint_of_another_model_is_refused() {
    let world = &*WORLD;
    world.ok(&["export", "run", "--to", "foreign"]);
    let description = world.path("foreign/model.toml");
    let text = std::fs::read_to_string(&description).unwrap();
    std::fs::write(&description, text.replace("embed_dim = 64", "embed_dim = 128").replace("out = 64", "out = 128"))
        .unwrap();
    world.fails(&["evaluate", "foreign", "--manifest", "demo/manifest.json"], "do not belong to this model");
    std::fs::write(&description, "what = 1").unwrap();
    world.fails(&["evaluate", "foreign", "--manifest", "demo/manifest.json"], "model.toml");
}

#[test]
fn devices_always_lists_the_processor() {
    let first = lines(&WORLD.ok(&["devices", "--json"])).remove(0);
    assert_eq!(first["device"]["id"], "cpu");
    assert!(first["probe"]["gflops"].as_f64().unwrap() > 0.0);
}

#[test]
fn models_check_says_what_a_file_is_and_fails_where_it_does_not_fit() {
    let world = &*WORLD;
    let out = world.ok(&["models", "check", "run"]);
    assert!(out.contains("a model of Limbic: UMBEnet, 2 classes") && out.contains("everything maps"), "{out}");
    let line = &lines(&world.ok(&["models", "check", "run", "--json"]))[0];
    assert_eq!((&line["event"], &line["whole"]), (&"weights".into(), &true.into()));
    assert!(line["report"]["fit"]["n_mapped"].as_u64().unwrap() > 50, "{line}");

    let samples = Path::new(env!("CARGO_MANIFEST_DIR")).join("crates/checkpoints/src/samples");
    let sample = |name: &str| samples.join(name).display().to_string();
    world.fails(&["models", "check", &sample("hostile.pt")], "posix.system");
    world.fails(&["models", "check", &sample("lying_shape.pt")], "larger than its storage");
    let output = world.run(&["models", "check", &sample("plain.pt"), "--json"]);
    assert_eq!(output.status.code(), Some(1));
    let lines = lines(&String::from_utf8(output.stdout).unwrap());
    assert_eq!((lines.len(), &lines[0]["report"]["kind"]), (1, &"unknown".into()));
}

#[test]
fn models_list_and_measure_know_every_preset() {
    let world = &*WORLD;
    let out = world.ok(&["models", "list"]);
    for words in ["needs mae-face, audiomae", "tiny             needs nothing else", "ViT-L-14.pt", "SHA-256 b8cca3fd"]
    {
        assert!(out.contains(words), "{words:?} in\n{out}");
    }
    let cost = &lines(&world.ok(&["models", "measure", "--model", "mult", "--preset", "tiny", "--json"]))[0];
    assert!(cost["n_parameters"].as_u64().unwrap() > 0 && cost["forward_secs"].as_f64().unwrap() > 0.0, "{cost}");
}

#[test]
fn a_column_of_any_name_can_hold_features() {
    let folder = WORLD.path("featured");
    std::fs::create_dir(&folder).unwrap();
    // Two steps of three values.
    let header = "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }";
    let mut array = b"\x93NUMPY\x01\x00\x76\x00".to_vec();
    array.extend(format!("{header:<117}\n").bytes());
    array.extend([0; 24]);
    for name in ["a.npy", "b.npy"] {
        std::fs::write(folder.join(name), &array).unwrap();
    }
    std::fs::write(folder.join("labels.csv"), "label,split,w2v\nhappiness,train,a.npy\nsadness,test,b.npy\n").unwrap();
    WORLD.ok(&["import", "featured", "--column", "voice_features=w2v", "--out", "featured.json"]);
    let manifest = datasets::load(&WORLD.path("featured.json")).unwrap();
    assert_eq!((manifest.clips.len(), manifest.streams.len(), manifest.streams[0].n_dims), (2, 1, 3));
    assert!(manifest.clips.iter().all(|clip| clip.features[0].n_steps == 2));
    let train = ["train", "--manifest", "featured.json", "--model", "mcr", "--preset", "tiny", "--out", "featured-run"];
    WORLD.fails(&train, "its clips are features alone: choose a preset that reads them");
    WORLD.fails(&["import", "featured", "--column", "voices=w2v", "--out", "none.json"], "unknown role");
}

#[test]
fn features_are_extracted_once_and_named_by_a_manifest_that_adds_up() {
    let extract = |kind: &'static str| ["features", "--manifest", "demo/manifest.json", "--kind", kind, "--out", "own"];
    let manifest = WORLD.path("own/manifest.json");
    for (kind, n_dims) in [("mfcc", 39), ("log-mel", 128), ("voice-statistics", 188), ("hog", 576), ("words", 256)] {
        WORLD.ok(&extract(kind));
        let named = datasets::load(&manifest).unwrap();
        let place = named.streams.iter().position(|stream| stream.name == kind).unwrap();
        assert_eq!(named.streams[place].n_dims, n_dims);
        let mut reader = features::Reader::new(&named.root);
        for clip in &named.clips {
            let own = clip.features.iter().find(|own| own.stream == place).unwrap();
            let (sequence, n_cleaned) = reader.read(&named.streams, own).unwrap();
            assert_eq!((sequence.n_dims, sequence.n_steps(), n_cleaned), (n_dims, own.n_steps, 0));
        }
    }
    assert!(datasets::load(&manifest).unwrap().clips.iter().all(|clip| clip.features.len() == 5));

    // What is there under its name, which says what it was made of, is not made again.
    let files = std::fs::read_dir(WORLD.path("own/mfcc")).unwrap().map(|entry| entry.unwrap().path());
    let file = files.filter(|path| path.extension().is_some_and(|end| end == "npy")).min().unwrap();
    features::write_npy(&file, &[1, 39], &[7.0; 39]).unwrap();
    WORLD.ok(&extract("mfcc"));
    assert_eq!(features::Store::open(&file).unwrap().read("", None).unwrap().values, [7.0; 39]);
    WORLD.fails(&extract("mae-face"), "--weights");
}

#[test]
fn voices_have_copies_at_other_speeds_that_training_reads() {
    let demo = ["--manifest", "demo/manifest.json", "--out", "copied"];
    let of = |kind, speeds| [&["features", "--kind", kind, "--speeds", speeds][..], &demo].concat();
    WORLD.fails(&of("hog", "0.9"), "not of voices");
    assert!(!WORLD.path("copied").exists());
    WORLD.ok(&of("voice-statistics", "0.9,1.1"));
    let named = datasets::load(&WORLD.path("copied/manifest.json")).unwrap();
    let mut streams: Vec<_> = named.streams.iter().map(|stream| (stream.name.as_str(), stream.n_dims)).collect();
    streams.sort_unstable();
    assert_eq!(streams, [("voice-statistics", 188), ("voice-statistics@0.9", 188), ("voice-statistics@1.1", 188)]);
    assert!(named.clips.iter().all(|clip| clip.features.len() == 3));

    let train = |manifest, copies, out| {
        let settings = ["--model", "vavl", "--preset", "utterances", "--epochs", "1", "--set", copies];
        [&["train", "--manifest", manifest, "--out", out][..], &settings].concat()
    };
    // A dataset without features, and one without copies of those that are read.
    WORLD.fails(&train("demo/manifest.json", "copies=0.5", "uncopied"), "precomputed features");
    assert!(!WORLD.path("uncopied").exists(), "a run that cannot begin is not begun");
    WORLD.ok(&["features", "--kind", "mfcc", "--manifest", "demo/manifest.json", "--out", "uncopied"]);
    WORLD.fails(&train("uncopied/manifest.json", "copies=0.5", "run-uncopied"), "none of mfcc");
    assert!(!WORLD.path("run-uncopied").exists());
    WORLD.ok(&train("copied/manifest.json", "copies=1", "run-copied"));
    let model = std::fs::read_to_string(WORLD.path("run-copied/best/model.toml")).unwrap();
    assert!(model.contains("stream = \"voice-statistics\""), "no copy is taken for what the dataset has: {model}");
}
