//! `limbic features`: what networks or arithmetic make of clips, as files.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use clap::Args;
use emotion::{FeatureRef, Manifest, Modality};
use media::SampleCache;
use training::{Control, Extraction, FeatureKind, Speed, TrainError};

use super::{Shell, interruptible, show, stopped_or};

#[derive(Args)]
pub(super) struct Features {
    /// The dataset.
    #[arg(long, value_name = "FILE")]
    manifest: PathBuf,
    /// Which: log-mel, mfcc or voice-statistics of voices, hog of faces, words of texts; or what a published network
    /// makes of clips: clip-vit-l-14, clip-vit-b-16, clip-vit-b-32, mae-face, efficientnet-b2, wav2vec2-large-robust.
    #[arg(long, value_parser = str::parse::<FeatureKind>)]
    kind: FeatureKind,
    /// The published weights of a network; `limbic models list` says where to get them.
    #[arg(long, value_name = "FILE")]
    weights: Option<PathBuf>,
    /// Frames of a clip, for faces.
    #[arg(long, default_value_t = 16, value_parser = clap::value_parser!(u16).range(1..=1024))]
    frames: u16,
    /// Of copies of the voices at these speeds as well, such as 0.87,0.93,1.07,1.15: training reads them with --set
    /// copies=0.8.
    #[arg(long, value_name = "SPEED,...", value_delimiter = ',', value_parser = str::parse::<Speed>)]
    speeds: Vec<Speed>,
    /// Folder for the features, one .npy a clip, and for a manifest.json that names them; kinds add up there. Of clips,
    /// settings and weights that did not change, what is there is kept.
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
}

pub(super) fn run(shell: &Shell, args: &Features) -> anyhow::Result<()> {
    if !args.speeds.is_empty() && args.kind.modality() != Modality::Voice {
        bail!(TrainError::NoSpeed(args.kind.to_string()));
    }
    let (cache, control) = (shell.cache()?, interruptible()?);
    let speeds = args.speeds.iter().copied().map(Some);
    for speed in std::iter::once(None).chain(speeds) {
        let (kind, weights) = (args.kind.clone(), args.weights.clone());
        let extraction = Extraction { kind, weights, n_frames: usize::from(args.frames), speed };
        one(shell, args, &extraction, &cache, &control)?;
    }
    Ok(())
}

/// Makes features of one kind at one speed.
fn one(
    shell: &Shell,
    args: &Features,
    extraction: &Extraction,
    cache: &SampleCache,
    control: &Control,
) -> anyhow::Result<()> {
    let manifest = datasets::load(&args.manifest)?;
    let (to, stream) = (args.out.join("manifest.json"), extraction.stream());
    adopt(&mut manifest.clone(), &to, &stream)?;
    let dir = args.out.join(&stream);
    let extracted = training::extract(&manifest, extraction, &dir, &shell.device, cache, control, &mut |event| {
        show(shell, &event);
    });
    let training::Extracted { mut manifest, n_made, n_kept, outdated } = stopped_or(extracted)?;
    // Other kinds may be made in this folder at the same time. Where a folder cannot be locked, only they are in
    // danger.
    let folder = std::fs::File::open(&args.out).ok();
    let _ = folder.as_ref().map(std::fs::File::lock);
    adopt(&mut manifest, &to, &stream)?;
    if n_made > 0 && manifest.drop_copies(&stream) && args.speeds.is_empty() {
        shell.note(&format!(
            "copies of {stream} at other speeds are outdated and left out: make them again with --speeds"
        ));
    }
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
    drop(folder);
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

/// Takes the features but those called `fresh` over from the manifest at `path`, if there is one.
fn adopt(manifest: &mut Manifest, path: &Path, fresh: &str) -> anyhow::Result<()> {
    let Ok(earlier) = datasets::load(path) else { return Ok(()) };
    let ids = |manifest: &Manifest| manifest.clips.iter().map(|clip| clip.id.clone()).collect::<Vec<_>>();
    if ids(&earlier) != ids(manifest) {
        bail!("the folder holds features of another dataset, choose another: {}", path.display());
    }
    for (place, stream) in earlier.streams.iter().enumerate() {
        let own = manifest.streams.iter().position(|own| own.name == stream.name);
        // Features that the dataset brings are its own matter.
        if stream.name == fresh || own.is_some() && !stream.extracted {
            continue;
        }
        let own = own.unwrap_or(manifest.streams.len());
        for (clip, earlier_clip) in manifest.clips.iter_mut().zip(&earlier.clips) {
            clip.features.retain(|feature| feature.stream != own);
            // Both manifests may name their files from different folders.
            let features = earlier_clip.features.iter().filter(|feature| feature.stream == place);
            let moved = |feature: &FeatureRef| FeatureRef {
                stream: own,
                path: earlier.root.join(&feature.path),
                ..feature.clone()
            };
            clip.features.extend(features.map(moved));
        }
        match manifest.streams.get_mut(own) {
            Some(known) => *known = stream.clone(),
            None => manifest.streams.push(stream.clone()),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use emotion::{Clip, LabelSet, Modality, Stream};

    use super::*;

    #[test]
    fn kinds_that_were_made_meanwhile_are_kept() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("manifest.json");
        let with = |names: &[&str]| {
            let mut manifest = Manifest::new("m", "csv", dir.path(), LabelSet::basic(2));
            let mut clip = Clip { id: "a".into(), ..Clip::default() };
            for (stream, name) in names.iter().enumerate() {
                let (modality, aligned) = (Modality::Voice, false);
                manifest.streams.push(Stream { name: (*name).into(), modality, n_dims: 1, aligned, extracted: true });
                let path = format!("{name}.npy").into();
                let feature =
                    FeatureRef { stream, path, array: None, row: None, first_dim: 0, first_step: 0, n_steps: 1 };
                clip.features.push(feature);
            }
            manifest.clips.push(clip);
            manifest
        };
        datasets::save(&with(&["hog", "mfcc"]), &path).unwrap();
        let mut manifest = with(&["mfcc"]);
        manifest.clips[0].features[0].path = "new.npy".into();
        adopt(&mut manifest, &path, "mfcc").unwrap();
        let files: Vec<_> = manifest.clips[0].features.iter().map(|own| own.path.file_name().unwrap()).collect();
        assert_eq!(files, ["new.npy", "hog.npy"]);
        let names: Vec<_> = manifest.streams.iter().map(|stream| stream.name.as_str()).collect();
        assert_eq!(names, ["mfcc", "hog"]);
        manifest.clips[0].id = "b".into();
        assert!(adopt(&mut manifest, &path, "mfcc").is_err());
    }
}
