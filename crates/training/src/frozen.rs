//! What frozen encoders make of each clip, computed once in a job instead of once an epoch.
//!
//! Kept in memory: 50 kB a clip for 16 frames through CLIP's ViT-L/14. Of use only where clips come unchanged: in
//! validation, and in training without augmentation.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use burn::tensor::{Tensor, TensorData};
use models::{Batch, EmotionModel, FaceBatch, Frozen, ModelError, compute};

/// Features by clip of one split.
#[derive(Debug, Default)]
pub struct FeatureCache {
    known: Mutex<Known>,
}

#[derive(Debug, Default)]
struct Known {
    face: HashMap<usize, Vec<f32>>,
    scene: HashMap<usize, Vec<f32>>,
    text: HashMap<usize, Vec<f32>>,
    /// Frames of a clip.
    n_frames: usize,
}

impl FeatureCache {
    /// Adds to a batch what the model's frozen encoders make of it; `clips[row]` is the clip of a row.
    pub fn fill<M: EmotionModel>(
        &self,
        model: &M,
        config: &M::Config,
        clips: &[usize],
        batch: &mut Batch,
    ) -> Result<(), ModelError> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let remembered = known.of(clips, batch);
        // Only what is not known yet is encoded.
        let mut unknown = batch.clone();
        unknown.face = unknown.face.filter(|_| remembered.face.is_none());
        unknown.scene = unknown.scene.filter(|_| remembered.scene.is_none());
        unknown.text = unknown.text.filter(|_| remembered.text.is_none());
        let encoded = model.encode_frozen(config, &unknown);
        known.keep(clips, &unknown, &encoded)?;
        batch.frozen = Frozen {
            face: remembered.face.or(encoded.face),
            scene: remembered.scene.or(encoded.scene),
            text: remembered.text.or(encoded.text),
        };
        Ok(())
    }
}

impl Known {
    /// The features of those parts of a batch all of whose clips are known.
    fn of(&self, clips: &[usize], batch: &Batch) -> Frozen {
        let device = batch.present.device();
        let all = |known: &HashMap<usize, Vec<f32>>, rows: &[usize]| -> Option<Vec<f32>> {
            let values: Option<Vec<&Vec<f32>>> = rows.iter().map(|&row| known.get(&clips[row])).collect();
            Some(values?.into_iter().flatten().copied().collect())
        };
        let frames = |known: &HashMap<usize, Vec<f32>>, part: &Option<FaceBatch>| {
            let rows = part.as_ref()?.rows.as_slice();
            let values = all(known, rows)?;
            let width = values.len() / (rows.len() * self.n_frames);
            Some(Tensor::from_data(TensorData::new(values, [rows.len(), self.n_frames, width]), &device))
        };
        let text = || {
            let rows = batch.text.as_ref()?.rows.as_slice();
            let values = all(&self.text, rows)?;
            let width = values.len() / rows.len();
            Some(Tensor::from_data(TensorData::new(values, [rows.len(), width]), &device))
        };
        Frozen { face: frames(&self.face, &batch.face), scene: frames(&self.scene, &batch.scene), text: text() }
    }

    fn keep(&mut self, clips: &[usize], batch: &Batch, frozen: &Frozen) -> Result<(), ModelError> {
        if let (Some(part), Some(features)) = (&batch.face, &frozen.face) {
            self.n_frames = features.dims()[1];
            keep(&mut self.face, clips, &part.rows, features)?;
        }
        if let (Some(part), Some(features)) = (&batch.scene, &frozen.scene) {
            self.n_frames = features.dims()[1];
            keep(&mut self.scene, clips, &part.rows, features)?;
        }
        if let (Some(part), Some(features)) = (&batch.text, &frozen.text) {
            keep(&mut self.text, clips, &part.rows, features)?;
        }
        Ok(())
    }
}

/// Notes each row's values under its clip.
fn keep<const D: usize>(
    known: &mut HashMap<usize, Vec<f32>>,
    clips: &[usize],
    rows: &[usize],
    features: &Tensor<D>,
) -> Result<(), ModelError> {
    let values = compute::read(features.clone().detach())?;
    for (&row, values) in rows.iter().zip(values.chunks(values.len() / rows.len().max(1))) {
        known.insert(clips[row], values.to_vec());
    }
    Ok(())
}
