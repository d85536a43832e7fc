//! Which devices exist, which work, and how settings name them.
//!
//! Never `Device::default()`: it picks by what was compiled in, not by what is there. Whatever touches a driver runs on
//! a scratch thread, because a missing driver shows as a panic in the libraries below.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::str::FromStr;
use std::time::{Duration, Instant};

use burn::tensor::{Device, DeviceKind, DeviceType, Tensor, TensorData};
use serde::{Deserialize, Serialize};

use crate::ModelError;

/// A device as settings and the command line write it: `auto`, `cpu`, `gpu:0`, `cuda:0`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum DeviceId {
    /// The first that works of CUDA, a hardware GPU, the CPU.
    #[default]
    Auto,
    /// The processor, through burn's flex backend.
    Cpu,
    /// An adapter of wgpu, in the order of [`devices`].
    Gpu(usize),
    /// A CUDA device.
    Cuda(usize),
}

impl fmt::Display for DeviceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Auto => f.write_str("auto"),
            Self::Cpu => f.write_str("cpu"),
            Self::Gpu(index) => write!(f, "gpu:{index}"),
            Self::Cuda(index) => write!(f, "cuda:{index}"),
        }
    }
}

impl FromStr for DeviceId {
    type Err = ModelError;
    fn from_str(text: &str) -> Result<Self, ModelError> {
        let unknown = || ModelError::Device {
            id: text.to_owned(),
            reason: "write auto, cpu, gpu:N or cuda:N; `limbic devices` lists what is there".into(),
        };
        let (name, index) = text.split_once(':').unwrap_or((text, "0"));
        let index = index.parse().map_err(|_| unknown())?;
        match name.to_lowercase().as_str() {
            "auto" => Ok(Self::Auto),
            "cpu" => Ok(Self::Cpu),
            "gpu" => Ok(Self::Gpu(index)),
            "cuda" => Ok(Self::Cuda(index)),
            _ => Err(unknown()),
        }
    }
}

impl Serialize for DeviceId {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for DeviceId {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// A device that is there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DeviceInfo {
    /// How settings name it.
    pub id: DeviceId,
    /// How it names itself.
    pub name: String,
    /// What reaches it: `flex`, `wgpu`, `CUDA`.
    pub backend: String,
    /// `processor`, `discrete GPU`, `integrated GPU`, `software`, …
    pub kind: String,
}

/// What a probe found.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ProbeReport {
    /// Seconds for opening the device and the first product of two matrices.
    pub first_secs: f64,
    /// Billions of multiplications and additions a second in the products after.
    pub gflops: f64,
}

/// Side of the matrices of a probe, small enough for a software rasterizer.
const PROBE_SIDE: usize = 256;
const PROBE_ROUNDS: usize = 3;

/// Every device that this build can reach, the CPU first. Opens adapters: seconds, not for a window's thread.
pub fn devices() -> Vec<DeviceInfo> {
    let mut found = vec![DeviceInfo {
        id: DeviceId::Cpu,
        name: format!("{} threads", std::thread::available_parallelism().map_or(1, usize::from)),
        backend: "flex".into(),
        kind: "processor".into(),
    }];
    let adapters = guarded(|| {
        let devices = Device::enumerate(DeviceType::Wgpu).into_vec();
        let n = devices.len();
        let info = |(index, device): (usize, &Device)| DeviceInfo {
            id: DeviceId::Gpu(index),
            name: device.identity().map_or_else(|| "unnamed adapter".into(), |identity| identity.name),
            backend: "wgpu".into(),
            kind: kind_of_adapter(device, n).into(),
        };
        devices.iter().enumerate().map(info).collect::<Vec<_>>()
    });
    found.extend(adapters.unwrap_or_default());
    #[cfg(feature = "cuda")]
    if let Ok(cards) = guarded(|| Device::enumerate(DeviceType::Cuda).into_vec()) {
        found.extend(cards.iter().enumerate().map(|(index, device)| DeviceInfo {
            id: DeviceId::Cuda(index),
            name: device.identity().map_or_else(|| "CUDA device".into(), |identity| identity.name),
            backend: "CUDA".into(),
            kind: "discrete GPU".into(),
        }));
    }
    found
}

/// What an adapter among `n` of them is; each kind is numbered by itself.
fn kind_of_adapter(device: &Device, n: usize) -> &'static str {
    let is = |kind: fn(usize) -> DeviceKind| (0..n).any(|number| *device == Device::wgpu(kind(number)));
    if is(DeviceKind::DiscreteGpu) {
        "discrete GPU"
    } else if is(DeviceKind::IntegratedGpu) {
        "integrated GPU"
    } else if is(DeviceKind::VirtualGpu) {
        "virtual GPU"
    } else {
        "software"
    }
}

/// Multiplies matrices on a device and checks the result.
pub fn probe(id: &DeviceId) -> Result<ProbeReport, ModelError> {
    let failed = |reason: String| ModelError::Device { id: id.to_string(), reason };
    let device = open(id)?;
    guarded(move || {
        let start = Instant::now();
        let side = PROBE_SIDE;
        let values: Vec<f32> = (0..side * side).map(|i| (i % 7) as f32 - 3.0).collect();
        let matrix = Tensor::<2>::from_data(TensorData::new(values.clone(), [side, side]), &device);
        let product = matrix.clone().matmul(matrix.clone()).try_into_vec_as::<f32>().map_err(|e| e.to_string())?;
        let first_secs = start.elapsed().as_secs_f64();
        let expected: f32 = (0..side).map(|k| values[k] * values[k * side]).sum();
        if (product[0] - expected).abs() > 1e-2 * expected.abs().max(1.0) {
            return Err(format!("it computes wrong results ({} instead of {expected})", product[0]));
        }
        let start = Instant::now();
        let last = (0..PROBE_ROUNDS).fold(matrix.clone(), |x, _| x.matmul(matrix.clone()).mul_scalar(1e-3));
        last.try_into_data().map_err(|error| error.to_string())?;
        let operations = 2.0 * (side as f64).powi(3) * PROBE_ROUNDS as f64;
        let secs = start.elapsed().max(Duration::from_nanos(1)).as_secs_f64();
        Ok(ProbeReport { first_secs, gflops: operations / secs / 1e9 })
    })
    .and_then(|result| result)
    .map_err(failed)
}

/// The device that `auto` stands for here; others are themselves.
pub fn resolve(id: &DeviceId) -> DeviceId {
    if *id != DeviceId::Auto {
        return *id;
    }
    let found = devices();
    let works = |info: &&DeviceInfo| probe(&info.id).is_ok();
    let hardware = |info: &&DeviceInfo| info.kind.ends_with("GPU");
    let cuda = found.iter().filter(|info| matches!(info.id, DeviceId::Cuda(_))).find(works);
    let gpu = || found.iter().filter(|info| matches!(info.id, DeviceId::Gpu(_))).filter(hardware).find(works);
    cuda.or_else(gpu).map_or(DeviceId::Cpu, |info| info.id)
}

/// The values of a tensor in order, read from its device.
///
/// Errors when the device fails.
pub fn read<const D: usize>(tensor: Tensor<D>) -> Result<Vec<f32>, ModelError> {
    tensor.try_into_vec_as::<f32>().map_err(|error| ModelError::Compute(error.to_string()))
}

/// Opens a device, without autodiff.
pub fn open(id: &DeviceId) -> Result<Device, ModelError> {
    let failed = |reason: String| ModelError::Device { id: id.to_string(), reason };
    match resolve(id) {
        DeviceId::Auto | DeviceId::Cpu => Ok(Device::flex()),
        DeviceId::Gpu(index) => {
            let devices = guarded(|| Device::enumerate(DeviceType::Wgpu).into_vec()).map_err(failed)?;
            let n_devices = devices.len();
            devices.into_iter().nth(index).ok_or_else(|| match n_devices {
                0 => failed("wgpu finds no adapter on this machine: use cpu".into()),
                n => failed(format!("wgpu finds {n} adapters here, numbered from 0")),
            })
        }
        #[cfg(feature = "cuda")]
        DeviceId::Cuda(index) => {
            let devices = guarded(|| Device::enumerate(DeviceType::Cuda).into_vec()).map_err(failed)?;
            let n_devices = devices.len();
            devices.into_iter().nth(index).ok_or_else(|| failed(format!("there are {n_devices} CUDA devices")))
        }
        #[cfg(not(feature = "cuda"))]
        DeviceId::Cuda(_) => Err(failed(
            "this build has no CUDA: use gpu:N, which reaches the same card, or build with `--features cuda`".into(),
        )),
    }
}

/// Runs `work` on a thread of its own and turns a panic into its message.
fn guarded<T: Send>(work: impl FnOnce() -> T + Send) -> Result<T, String> {
    std::thread::scope(|scope| {
        let builder = std::thread::Builder::new().name("device probe".into());
        let thread = builder.spawn_scoped(scope, || catch_unwind(AssertUnwindSafe(work)));
        let result = thread.map_err(|error| error.to_string())?.join().expect("panics are caught inside");
        result.map_err(|panic| {
            let text = panic.downcast_ref::<String>().map(String::as_str);
            let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
            text.unwrap_or("its driver failed").lines().next().unwrap_or("its driver failed").to_owned()
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_round_trip() {
        for (text, id) in [
            ("auto", DeviceId::Auto),
            ("cpu", DeviceId::Cpu),
            ("gpu:1", DeviceId::Gpu(1)),
            ("CUDA:0", DeviceId::Cuda(0)),
        ] {
            assert_eq!(text.parse::<DeviceId>().unwrap(), id);
            assert_eq!(id.to_string().parse::<DeviceId>().unwrap(), id);
        }
        assert!("tpu".parse::<DeviceId>().is_err() && "gpu:x".parse::<DeviceId>().is_err());
    }

    #[test]
    fn an_adapter_is_told_by_its_kind() {
        for (kind, name) in [
            (DeviceKind::DiscreteGpu(0), "discrete GPU"),
            (DeviceKind::IntegratedGpu(1), "integrated GPU"),
            (DeviceKind::VirtualGpu(0), "virtual GPU"),
            (DeviceKind::Cpu, "software"),
        ] {
            assert_eq!(kind_of_adapter(&Device::wgpu(kind), 2), name);
        }
    }

    #[test]
    fn the_processor_works_and_a_missing_card_says_so() {
        assert!(probe(&DeviceId::Cpu).unwrap().gflops > 0.0);
        let error = open(&DeviceId::Gpu(99)).unwrap_err().to_string();
        assert!(error.contains("gpu:99"), "{error}");
    }
}
