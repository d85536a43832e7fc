//! The tiny preset, forward and with gradients, on the device that `LIMBIC_DEVICE` names (default: the CPU).

#![allow(missing_docs, reason = "criterion's macros write undocumented functions")]

use criterion::{Criterion, criterion_group, criterion_main};
use emotion::{Frames, LabelSet, LogMel, Modalities, Sample, Voice};
use limbic_models::umbenet::{Umbenet, UmbenetConfig};
use limbic_models::{DeviceId, EmotionModel as _, compute};

/// Clips in a batch, as in training.
const BATCH: usize = 16;

fn sample(seed: usize, config: &UmbenetConfig) -> Sample {
    let byte = |i: usize| (i * (seed + 1) * 37 % 251) as u8;
    let mel = (0..320 * 64).map(|i| f32::from(byte(i)) / 20.0 - 10.0).collect();
    let n = config.n_frames;
    Sample {
        face: Some(Frames { size_px: 96, rgb: (0..n * 96 * 96 * 3).map(byte).collect(), valid: vec![true; n] }),
        voice: Some(Voice::LogMel(LogMel { n_bins: 64, values: mel, n_valid: 300 })),
        text: Some(format!("what clip number {seed} says")),
        ..Sample::default()
    }
}

fn benches(criterion: &mut Criterion) {
    let id: DeviceId = std::env::var("LIMBIC_DEVICE").unwrap_or_else(|_| "cpu".into()).parse().expect("a device");
    let device = compute::open(&id).expect("the device opens");
    let config = UmbenetConfig::tiny();
    let samples: Vec<Sample> = (0..BATCH).map(|seed| sample(seed, &config)).collect();
    let samples: Vec<&Sample> = samples.iter().collect();
    let on = [Modalities::ALL; BATCH];
    let reader = Umbenet::reader(&config);
    let labels = LabelSet::basic_seven();

    let model = Umbenet::start_stage(&config, &labels, 3, 1, &[], &device).expect("tiny encoders are in no file");
    criterion.bench_function(&format!("umbenet tiny forward, {BATCH} clips, {id}"), |bencher| {
        bencher.iter(|| {
            let batch = reader.batch(&samples, &on, &device).expect("a batch");
            let outlook = model.forward(&config, &batch).expect("a forward pass");
            outlook.logits.into_data()
        });
    });

    let device = device.autodiff();
    let model = Umbenet::start_stage(&config, &labels, 3, 1, &[], &device).expect("tiny encoders are in no file");
    let truths: Vec<i64> = (0..BATCH as i64).map(|row| row % 7).collect();
    criterion.bench_function(&format!("umbenet tiny forward and backward, {BATCH} clips, {id}"), |bencher| {
        bencher.iter(|| {
            let batch = reader.batch(&samples, &on, &device).expect("a batch");
            let outlook = model.forward(&config, &batch).expect("a forward pass");
            let truths = burn::tensor::Tensor::from_ints(truths.as_slice(), &device);
            let loss = model.loss(&config, &outlook, truths);
            let grads = loss.total.backward();
            model.logit_scale.val().grad(&grads);
            loss.total.into_data()
        });
    });
}

criterion_group! { name = umbenet; config = Criterion::default().sample_size(10); targets = benches }
criterion_main!(umbenet);
