//! `limbic features`: what networks or arithmetic make of clips, as files.

use std::path::PathBuf;

use anyhow::{Context as _, bail};
use clap::Args;
use training::{Extraction, FeatureKind};

use super::{Shell, interruptible, show, stopped_or};

#[derive(Args)]
pub(super) struct Features {
    /// The dataset.
    #[arg(long, value_name = "FILE")]
    manifest: PathBuf,
    /// Which: log-mel, mfcc or voice-statistics of voices, hog of faces, words of texts; or what a published network makes of
    /// clips: clip-vit-l-14, clip-vit-b-16, clip-vit-b-32, mae-face, efficientnet-b2, wav2vec2-large-robust.
    #[arg(long, value_parser = str::parse::<FeatureKind>)]
    kind: FeatureKind,
    /// The published weights of a network; `limbic models list` says where to get them.
    #[arg(long, value_name = "FILE")]
    weights: Option<PathBuf>,
    /// Frames of a clip, for faces.
    #[arg(long, default_value_t = 16)]
    frames: usize,
    /// Folder for the features, one .npy a clip, and for a manifest.json that names them; kinds add up there. Of clips, settings
    /// and weights that did not change, what is there is kept.
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
}

pub(super) fn run(shell: &Shell, args: &Features) -> anyhow::Result<()> {
    let mut manifest = datasets::load(&args.manifest)?;
    let to = args.out.join("manifest.json");
    if let Ok(earlier) = datasets::load(&to) {
        let ids = |manifest: &emotion::Manifest| manifest.clips.iter().map(|clip| clip.id.clone()).collect::<Vec<_>>();
        if ids(&earlier) != ids(&manifest) {
            bail!("this folder holds features of another dataset: choose another: {}", args.out.display());
        }
        manifest.streams = earlier.streams;
        for (clip, earlier_clip) in manifest.clips.iter_mut().zip(earlier.clips) {
            clip.features = earlier_clip.features;
            // Both manifests may name their files from different folders.
            clip.features.iter_mut().for_each(|feature| feature.path = earlier.root.join(&feature.path));
        }
    }
    if args.frames == 0 {
        bail!("--frames is 0: a clip needs one at least");
    }
    let extraction = Extraction { kind: args.kind.clone(), weights: args.weights.clone(), n_frames: args.frames };
    let (cache, control) = (shell.cache()?, interruptible()?);
    let dir = args.out.join(args.kind.to_string());
    let extracted = training::extract(&manifest, &extraction, &dir, &shell.device, &cache, &control, &mut |event| {
        show(shell, &event);
    });
    let training::Extracted { manifest, n_made, n_kept, outdated } = stopped_or(extracted)?;
    let stream = args.kind.to_string();
    let place = manifest.streams.iter().position(|own| own.name == stream);
    let n_done = manifest.clips.iter().filter(|clip| clip.features.iter().any(|own| Some(own.stream) == place)).count();
    if n_done == 0 {
        bail!(
            "none of the {} clips has what these features are made of: {}",
            manifest.clips.len(),
            args.manifest.display()
        );
    }
    datasets::save(&manifest, &to)?;
    for path in outdated {
        std::fs::remove_file(&path)
            .with_context(|| format!("outdated features cannot be removed: {}", path.display()))?;
    }
    let n_dims = place.map_or(0, |place| manifest.streams[place].n_dims);
    shell.event(&serde_json::json!({
        "event": "extracted", "stream": stream, "dims": n_dims, "clips": n_done, "made": n_made, "kept": n_kept, "of": manifest.clips.len(), "manifest": to,
    }));
    shell.note(&format!(
        "{stream} of {n_done} of {} clips ({n_made} made, {n_kept} kept), {n_dims} values a step: {}",
        manifest.clips.len(),
        to.display()
    ));
    Ok(())
}
