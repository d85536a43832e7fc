//! The set of files that VAVL's training leaves: plain state dictionaries, one for each part.

use std::path::{Path, PathBuf};

use super::network::Network;
use crate::encoders::conformer;
use crate::{ModelError, import_files};

/// Stems of the files, with the path in [`Network`] that they fill.
const FILES: [(&str, &str); 8] = [
    ("final_acoustic_head", "acoustic"),
    ("final_visual_head", "visual"),
    ("final_shared_head", "shared"),
    ("final_weights_head", "audio_visual_head"),
    ("MLP_a_head", "acoustic.head"),
    ("MLP_v_head", "visual.head"),
    ("MLP_rec_a_head", "acoustic.reconstruction"),
    ("MLP_rec_v_head", "visual.reconstruction"),
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

/// The files of a set that is named by its folder, or file by file.
pub(super) fn files_of(paths: &[PathBuf]) -> Vec<PathBuf> {
    match paths {
        [folder] if folder.is_dir() => set_of(folder),
        files => files.to_vec(),
    }
}

/// Where in [`Network`] the parameter `key` of the file `stem` belongs; `None` for what nothing reads.
pub fn module_path(stem: &str, key: &str) -> Option<String> {
    const BRANCHES: [(&str, &str); 5] = [
        ("conv_1d_a.", "projection."),
        ("conv_1d_v.", "projection."),
        ("x_acoustic.encoder.", "encoder."),
        ("x_visual.encoder.", "encoder."),
        ("x_shared.encoder.", "encoder."),
    ];
    if stem == UNREAD_FILE {
        return None;
    }
    let path = conformer::module_path(key)?;
    let own = BRANCHES.into_iter().find_map(|(published, own)| Some((own, path.strip_prefix(published)?)));
    let path = own.map_or(path.clone(), |(own, rest)| format!("{own}{rest}"));
    // A file of no part keeps its name, so that the importer complains about it.
    let part = FILES.into_iter().find(|(file, _)| *file == stem).map_or(stem, |(_, part)| part);
    Some(format!("{part}.{path}"))
}

/// Fills the network from files with the published stems, `final_acoustic_head.pt` say. All that it has parts for must be
/// there; parts that an ablation leaves out are passed over.
pub fn import(network: &mut Network, files: &[PathBuf]) -> Result<(), ModelError> {
    let left_out = [
        ("audio_visual_head.", network.audio_visual_head.is_none()),
        ("acoustic.reconstruction.", network.acoustic.reconstruction.is_none()),
        ("visual.reconstruction.", network.visual.reconstruction.is_none()),
    ];
    import_files(network, files, |file, key| {
        let path = module_path(stem(file), key)?;
        let passed_over = left_out.iter().any(|(part, left_out)| *left_out && path.starts_with(part));
        (!passed_over).then_some(path)
    })
}

/// What precedes the first dot of a file's name.
fn stem(file: &Path) -> &str {
    let name = file.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    name.split('.').next().unwrap_or_default()
}
