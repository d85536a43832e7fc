//! The set of files that VAVL's training leaves: plain state dictionaries, one for each part.

use std::path::{Path, PathBuf};

use burn::store::burn_pack::Tensor as PackTensor;
use checkpoints::Container;
use features::Store;

use super::network::Network;
use crate::encoders::conformer;
use crate::{ModelError, Place, Rename, Spelling, import_spelled, open_checkpoint};

/// Stems of the files, with the path in [`Network`] that they fill; parts of a branch before the branch itself.
const FILES: [(&str, &str); 8] = [
    ("MLP_a_head", "acoustic.head."),
    ("MLP_v_head", "visual.head."),
    ("MLP_rec_a_head", "acoustic.reconstruction."),
    ("MLP_rec_v_head", "visual.reconstruction."),
    ("final_acoustic_head", "acoustic."),
    ("final_visual_head", "visual."),
    ("final_shared_head", "shared."),
    ("final_weights_head", "audio_visual_head."),
];

/// How the files of the branches call what is in them.
const BRANCHES: [Rename; 5] = [
    Rename { checkpoint: "final_acoustic_head/conv_1d_a.", module: "final_acoustic_head/projection." },
    Rename { checkpoint: "final_acoustic_head/x_acoustic.encoder.", module: "final_acoustic_head/encoder." },
    Rename { checkpoint: "final_visual_head/conv_1d_v.", module: "final_visual_head/projection." },
    Rename { checkpoint: "final_visual_head/x_visual.encoder.", module: "final_visual_head/encoder." },
    Rename { checkpoint: "final_shared_head/x_shared.encoder.", module: "final_shared_head/encoder." },
];

/// A file of the release that no forward pass reads.
const UNREAD_FILE: &str = "MLP_av_head";

/// Endings that the files of a set may have.
const ENDINGS: [&str; 4] = ["pt", "pth", "bin", "safetensors"];

/// The files of a folder that are named as VAVL's are.
pub(crate) fn set_of(folder: &Path) -> Vec<PathBuf> {
    let stems = FILES.iter().map(|(stem, _)| *stem).chain([UNREAD_FILE]);
    stems
        .filter_map(|stem| {
            ENDINGS.iter().map(|ending| folder.join(format!("{stem}.{ending}"))).find(|path| path.is_file())
        })
        .collect()
}

/// What inputs are normalized by, beside the weights.
pub(crate) const STATISTICS: &str = "train_norm_stat.pkl";

/// Means and deviations of the training set: of the voice, then of the face.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Measured {
    /// Mean and deviation of the voice.
    pub voice: [Vec<f32>; 2],
    /// Mean and deviation of the face.
    pub face: [Vec<f32>; 2],
}

/// The weights of a set that is named by its folder, or file by file, and what its inputs are normalized by.
pub(super) fn parts_of(paths: &[PathBuf]) -> Result<(Vec<PathBuf>, Measured), ModelError> {
    let is_pickle = |path: &PathBuf| path.extension().is_some_and(|extension| extension == "pkl");
    let (pickles, weights): (Vec<PathBuf>, Vec<PathBuf>) = paths.iter().cloned().partition(is_pickle);
    let (weights, beside) = match weights.as_slice() {
        [folder] if folder.is_dir() => (set_of(folder), Some(folder.join(STATISTICS))),
        _ => (weights, None),
    };
    let statistics = pickles.into_iter().next().or(beside.filter(|path| path.is_file())).ok_or_else(|| {
        let reason =
            format!("what inputs are normalized by is missing: name {STATISTICS}, which was saved beside the weights");
        ModelError::Config(reason)
    })?;
    Ok((weights, measured(&statistics)?))
}

/// Reads means and deviations, which are four arrays in this order.
fn measured(path: &Path) -> Result<Measured, ModelError> {
    let mut store = Store::open(path)?;
    let names: Vec<String> = store.arrays().map(|(name, _)| name.to_owned()).collect();
    let [voice_mean, voice_deviation, face_mean, face_deviation] = names.as_slice() else {
        let reason = format!("it holds {} arrays instead of 4, means and deviations of voice and face", names.len());
        return Err(ModelError::Damaged { reason, path: path.to_owned() });
    };
    let mut read = |name: &str| store.read(name, None).map(|array| array.values);
    Ok(Measured { voice: [read(voice_mean)?, read(voice_deviation)?], face: [read(face_mean)?, read(face_deviation)?] })
}

/// What is wrong with the means and deviations in a folder, for inputs of these widths; nothing where all is well.
pub(crate) fn statistics_fault(folder: &Path, [voice, face]: [usize; 2]) -> Option<String> {
    let path = folder.join(STATISTICS);
    if !path.is_file() {
        return Some(format!("{STATISTICS}, what inputs are normalized by"));
    }
    let lengths = match measured(&path) {
        Ok(Measured { voice, face }) => voice.into_iter().chain(face).map(|values| values.len()).collect::<Vec<_>>(),
        Err(error) => return Some(format!("{STATISTICS} as it should be ({error})")),
    };
    let wanted = [voice, voice, face, face];
    (lengths != wanted).then(|| format!("{STATISTICS} with {wanted:?} means and deviations instead of {lengths:?}"))
}

/// Where in [`Network`] the parameter `key` of the file `stem` belongs; `None` for what nothing reads.
pub fn module_path(stem: &str, key: &str) -> Option<String> {
    if stem == UNREAD_FILE {
        return None;
    }
    let name = Rename::to_module(&BRANCHES, &format!("{stem}/{}", conformer::module_path(key)?));
    let (stem, path) = name.split_once('/')?;
    // A file of no part keeps its name, so that the importer complains about it.
    let part = FILES.into_iter().find(|(file, _)| *file == stem);
    Some(part.map_or_else(|| name.replace('/', "."), |(_, part)| format!("{part}{path}")))
}

/// How the set of files spells the parameters of a [`Network`]: `final_acoustic_head/x_acoustic.encoder.…`.
pub(crate) fn spelling() -> Spelling<'static> {
    let place = |name: &str| {
        let (stem, key) = name.split_once('/').unwrap_or_default();
        module_path(stem, key).map_or(Place::Leftover("what no forward pass reads"), Place::At)
    };
    Spelling::new(place, |parameter| {
        let inside = FILES.iter().find_map(|(stem, part)| Some((stem, parameter.strip_prefix(part)?)));
        let Some((stem, path)) = inside else { return parameter.to_owned() };
        Rename::to_checkpoint(&BRANCHES, &format!("{stem}/{}", conformer::published_name(path)))
    })
}

/// The tensors of a set of files under the names of [`spelling`], and what the files are packed in.
pub(crate) fn open(files: &[PathBuf]) -> Result<(Vec<PackTensor>, Vec<Container>), ModelError> {
    let mut tensors = Vec::new();
    let mut containers = Vec::new();
    for file in files {
        let stem = stem(file);
        let contents = open_checkpoint(file)?;
        containers.push(contents.container);
        tensors.extend(contents.tensors.into_iter().map(|mut tensor| {
            tensor.name = format!("{stem}/{}", tensor.name);
            tensor
        }));
    }
    Ok((tensors, containers))
}

/// Fills the network from files with the published stems, `final_acoustic_head.pt` say. All that it has parts for must
/// be there; parts that an ablation leaves out are passed over.
pub fn import(network: &mut Network, files: &[PathBuf]) -> Result<(), ModelError> {
    let left_out = [
        ("audio_visual_head.", network.audio_visual_head.is_none()),
        ("acoustic.reconstruction.", network.acoustic.reconstruction.is_none()),
        ("visual.reconstruction.", network.visual.reconstruction.is_none()),
    ];
    let lacks = move |path: &str| left_out.into_iter().any(|(part, is_left_out)| is_left_out && path.starts_with(part));
    // Blame falls on the folder where several files must fit together.
    let blamed = match files {
        [file] => file.as_path(),
        files => files.first().and_then(|file| file.parent()).unwrap_or(Path::new("")),
    };
    let (tensors, _) = open(files)?;
    import_spelled(network, tensors, &spelling().without(lacks, "what this configuration leaves out"), blamed)
}

/// What precedes the first dot of a file's name.
fn stem(file: &Path) -> &str {
    let name = file.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    name.split('.').next().unwrap_or_default()
}
