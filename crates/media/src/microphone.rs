//! Microphones, through cpal: whatever they deliver becomes mono samples at one rate.
//!
//! The system's audio thread only mixes down and appends to a bounded queue; resampling is the reader's work.
//! Left out: level control and noise suppression, which systems do themselves.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use cpal::traits::{DeviceTrait as _, HostTrait as _, StreamTrait as _};
use cpal::{BufferSize, Data, ErrorKind, FromSample as _, I24, SampleFormat, SupportedBufferSize, U24};

use crate::MediaError;
use crate::resample::Resampler;

/// A reader that is further behind than this hears the newest sound, not all of it.
const MAX_QUEUED_SECS: usize = 10;
/// How often sound is to arrive.
const PARTS_PER_SEC: u32 = 25;

/// A microphone that can be opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MicrophoneInfo {
    /// For [`Microphone::open`].
    pub id: String,
    /// What people call it.
    pub name: String,
}

/// The microphones of this machine; empty where there is none, or no sound system.
///
/// Systems may open devices to answer this, so ask only when somebody wants to know.
pub fn microphones() -> Vec<MicrophoneInfo> {
    let Ok(devices) = cpal::default_host().input_devices() else { return Vec::new() };
    devices
        .filter_map(|device| {
            let id = device.id().ok()?.to_string();
            // ALSA's sink of everything hears nothing.
            if id == "alsa:null" {
                return None;
            }
            let name = device.description().map_or_else(|_| id.clone(), |description| description.name().to_owned());
            Some(MicrophoneInfo { id, name })
        })
        .collect()
}

/// An open microphone, recording until it is dropped.
pub struct Microphone {
    name: String,
    queue: Arc<Mutex<Queue>>,
    resampler: Resampler,
    // Recording stops when this is dropped.
    _stream: cpal::Stream,
}

impl Microphone {
    /// Opens the microphone `id`, or the system's default one for `None` or an empty name; [`Self::read`] gives
    /// `rate_hz`.
    pub fn open(id: Option<&str>, rate_hz: u32) -> Result<Self, MediaError> {
        let id = id.filter(|id| !id.is_empty());
        let name = id.unwrap_or("default microphone").to_owned();
        let unusable = |reason: String| MediaError::Device { device: name.clone(), reason };
        let host = cpal::default_host();
        let device = match id {
            None => host.default_input_device().ok_or_else(|| unusable("no microphone was found".into()))?,
            Some(id) => {
                let id = id.parse().map_err(|_| unusable("this is no name of a microphone".into()))?;
                host.device_by_id(&id).ok_or_else(|| unusable("there is no such device".into()))?
            }
        };
        let supported = device.default_input_config().map_err(|error| unusable(error.to_string()))?;
        let format = supported.sample_format();
        if to_f32(format).is_none() {
            return Err(unusable(format!("its sample format {format} is not known")));
        }
        let mut config = supported.config();
        let n_channels = usize::from(config.channels).max(1);
        let source_rate_hz = config.sample_rate;
        if source_rate_hz == 0 || rate_hz == 0 {
            return Err(unusable("its sampling rate is 0".into()));
        }
        let queue = Arc::new(Mutex::new(Queue::new(source_rate_hz as usize * MAX_QUEUED_SECS)));
        let build = |config: cpal::StreamConfig| {
            let (filled, failed) = (Arc::clone(&queue), Arc::clone(&queue));
            device.build_input_stream_raw(
                config,
                format,
                move |data: &Data, _| lock(&filled).push(data, n_channels),
                move |error: cpal::Error| match error.kind() {
                    // The stream goes on after these.
                    ErrorKind::DeviceChanged | ErrorKind::Xrun | ErrorKind::RealtimeDenied => {}
                    _ => lock(&failed).gone = Some(error.to_string()),
                },
                None,
            )
        };
        // Left to themselves, sound servers deliver a second or two at once, which is late for a live prediction.
        if let SupportedBufferSize::Range { min, max } = *supported.buffer_size()
            && min <= max
        {
            config.buffer_size = BufferSize::Fixed((source_rate_hz / PARTS_PER_SEC).clamp(min, max));
        }
        let stream = build(config)
            .or_else(|_| build(cpal::StreamConfig { buffer_size: BufferSize::Default, ..config }))
            .map_err(|error| unusable(error.to_string()))?;
        stream.play().map_err(|error| unusable(error.to_string()))?;
        Ok(Self { name, queue, resampler: Resampler::new(source_rate_hz, rate_hz), _stream: stream })
    }

    /// What was recorded since the last time, mono in -1..1; nothing is waited for. An error when the microphone is
    /// gone.
    pub fn read(&mut self) -> Result<Vec<f32>, MediaError> {
        let (arrived, gone) = {
            let mut queue = lock(&self.queue);
            (std::mem::take(&mut queue.samples), queue.gone.clone())
        };
        if let (Some(reason), true) = (gone, arrived.is_empty()) {
            return Err(MediaError::DeviceGone { device: self.name.clone(), reason });
        }
        let mut samples = Vec::new();
        let (front, back) = arrived.as_slices();
        self.resampler.push(front, &mut samples);
        self.resampler.push(back, &mut samples);
        Ok(samples)
    }
}

/// A panic on either side leaves whole samples behind, so the queue stays good.
fn lock(queue: &Mutex<Queue>) -> MutexGuard<'_, Queue> {
    queue.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Recorded samples that nobody has read yet.
struct Queue {
    /// Mono at the device's rate.
    samples: VecDeque<f32>,
    max_samples: usize,
    /// Why nothing comes any more.
    gone: Option<String>,
}

impl Queue {
    fn new(max_samples: usize) -> Self {
        Self { samples: VecDeque::new(), max_samples, gone: None }
    }

    fn push(&mut self, data: &Data, n_channels: usize) {
        if let Some(samples) = to_f32(data.sample_format()).and_then(|convert| convert(data)) {
            self.push_interleaved(&samples, n_channels);
        }
    }

    fn push_interleaved(&mut self, samples: &[f32], n_channels: usize) {
        let mono = samples.chunks_exact(n_channels).map(|frame| frame.iter().sum::<f32>() / n_channels as f32);
        self.samples.extend(mono.map(|sample| if sample.is_finite() { sample.clamp(-1.0, 1.0) } else { 0.0 }));
        let n_too_many = self.samples.len().saturating_sub(self.max_samples);
        self.samples.drain(..n_too_many);
    }
}

/// Reads a buffer of one format; `None` for a buffer of another.
type Convert = fn(&Data) -> Option<Vec<f32>>;

/// How samples of `format` become numbers in -1..1, still interleaved; `None` for formats that are no amplitudes.
fn to_f32(format: SampleFormat) -> Option<Convert> {
    macro_rules! from {
        ($kind:ty) => {
            Some(|data: &Data| Some(data.as_slice::<$kind>()?.iter().map(|&value| f32::from_sample_(value)).collect()))
        };
    }
    match format {
        SampleFormat::I8 => from!(i8),
        SampleFormat::I16 => from!(i16),
        SampleFormat::I24 => from!(I24),
        SampleFormat::I32 => from!(i32),
        SampleFormat::I64 => from!(i64),
        SampleFormat::U8 => from!(u8),
        SampleFormat::U16 => from!(u16),
        SampleFormat::U24 => from!(U24),
        SampleFormat::U32 => from!(u32),
        SampleFormat::U64 => from!(u64),
        SampleFormat::F32 => from!(f32),
        SampleFormat::F64 => from!(f64),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn channels_become_one_and_the_oldest_goes_first() {
        let mut queue = Queue::new(3);
        queue.push_interleaved(&[1.0, 0.0, 0.2, 0.4], 2);
        queue.push_interleaved(&[-1.0, -1.0, f32::NAN, 0.0], 2);
        let left: Vec<f32> = queue.samples.iter().copied().collect();
        assert_eq!(left.len(), 3);
        for (found, expected) in left.iter().zip([0.3, -1.0, 0.0]) {
            assert!((found - expected).abs() < 1e-6, "{left:?}");
        }
    }

    #[test]
    fn a_name_that_is_none_is_refused() {
        let error = Microphone::open(Some("no such microphone"), 16_000).err().expect("it does not exist");
        assert!(error.to_string().contains("no such microphone"), "{error}");
    }
}
