//! How fast a list of 20,000 clips is read, whose files are named without extensions: the folder has to be searched.

use std::fmt::Write as _;

use criterion::Criterion;
use limbic_datasets::{Options, import};

const N_CLIPS: usize = 20_000;

fn main() {
    let mut criterion = Criterion::default().sample_size(10).configure_from_args();
    let root = tempfile::tempdir().expect("the system has a folder for temporary files");
    let mut list = "path,label,speaker\n".to_owned();
    for clip in 0..N_CLIPS {
        std::fs::write(root.path().join(format!("{clip}.mp4")), "").expect("empty files fit the disk");
        writeln!(list, "{clip},{},{}", clip % 7, clip % 500).expect("memory is written to");
    }
    std::fs::write(root.path().join("labels.csv"), list).expect("a list fits the disk");
    criterion.bench_function("import 20,000 rows", |bencher| {
        bencher.iter(|| import(root.path(), &Options::default()).expect("the list is whole"));
    });
    criterion.final_summary();
}
