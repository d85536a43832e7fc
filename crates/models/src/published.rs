//! Published files that presets start from: what they are called, where they are, under which licence.
//!
//! Nothing here is fetched by Limbic; people get the files themselves. Checksums and sizes are those that the
//! publishers state or that follow from their addresses; where neither is known for certain, there is none.

use serde::Serialize;

use crate::ModelKind;

/// A preset's setting that names a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Use {
    /// The model.
    pub model: ModelKind,
    /// Its preset.
    pub preset: &'static str,
    /// The setting.
    pub setting: &'static str,
}

/// A published file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Published {
    /// The word for it in settings and on the command line.
    pub key: &'static str,
    /// The name that people know.
    pub title: &'static str,
    /// What it does in a model.
    pub what: &'static str,
    /// How the file is called where it is published.
    pub file: &'static str,
    /// Where it is published.
    pub source: &'static str,
    /// Roughly how large it is.
    pub size: &'static str,
    /// Under what conditions.
    pub licence: &'static str,
    /// SHA-256 of the published file, where that is known for certain.
    pub sha256: Option<&'static str>,
    /// What it is needed for.
    pub uses: &'static [Use],
}

impl Published {
    /// The one with this key.
    pub fn with_key(key: &str) -> Option<&'static Self> {
        PUBLISHED.iter().find(|published| published.key == key)
    }

    /// Those that a preset needs, with the settings that name them.
    pub fn of_preset(model: ModelKind, preset: &str) -> impl Iterator<Item = (&'static Self, &'static str)> {
        PUBLISHED.iter().flat_map(move |published| {
            let uses = published.uses.iter().filter(move |own| own.model == model && own.preset == preset);
            uses.map(move |own| (published, own.setting))
        })
    }
}

const fn umbenet(preset: &'static str, setting: &'static str) -> Use {
    Use { model: ModelKind::Umbenet, preset, setting }
}

const fn mma_dfer(setting: &'static str) -> Use {
    Use { model: ModelKind::MmaDfer, preset: "paper", setting }
}

const fn vavl(setting: &'static str) -> Use {
    Use { model: ModelKind::Vavl, preset: "paper", setting }
}

/// All of them.
pub const PUBLISHED: &[Published] = &[
    Published {
        key: "clip-vit-l-14",
        title: "CLIP ViT-L/14",
        what: "reads frames and class prompts",
        file: "ViT-L-14.pt",
        source: "https://openaipublic.azureedge.net/clip/models/b8cca3fd41ae0c99ba7e8951adf17d267cdb84cd88be6f7c2e0eca1737a03836/ViT-L-14.pt",
        size: "about 890 MiB",
        licence: "MIT",
        sha256: Some("b8cca3fd41ae0c99ba7e8951adf17d267cdb84cd88be6f7c2e0eca1737a03836"),
        uses: &[umbenet("paper", "clip"), umbenet("official-compat", "clip")],
    },
    Published {
        key: "clip-vit-b-16",
        title: "CLIP ViT-B/16",
        what: "reads frames and class prompts",
        file: "ViT-B-16.pt",
        source: "https://openaipublic.azureedge.net/clip/models/5806e77cd80f8b59890b7e101eabd078d9fb84e6937f9e85e4ecb61988df416f/ViT-B-16.pt",
        size: "about 335 MiB",
        licence: "MIT",
        sha256: Some("5806e77cd80f8b59890b7e101eabd078d9fb84e6937f9e85e4ecb61988df416f"),
        uses: &[umbenet("paper-b16", "clip")],
    },
    Published {
        key: "clip-vit-b-32",
        title: "CLIP ViT-B/32",
        what: "reads captions; in paper-b32 frames and class prompts too",
        file: "ViT-B-32.pt",
        source: "https://openaipublic.azureedge.net/clip/models/40d365715913c9da98579312b702a82c18be219cc2a73407c4526f58eba950af/ViT-B-32.pt",
        size: "about 338 MiB",
        licence: "MIT",
        sha256: Some("40d365715913c9da98579312b702a82c18be219cc2a73407c4526f58eba950af"),
        uses: &[
            umbenet("paper-b32", "clip"),
            umbenet("paper", "caption_clip"),
            umbenet("paper-b16", "caption_clip"),
            umbenet("paper-b32", "caption_clip"),
            umbenet("official-compat", "caption_clip"),
        ],
    },
    Published {
        key: "clip-vocabulary",
        title: "CLIP's vocabulary",
        what: "turns captions and names of classes into tokens",
        file: "bpe_simple_vocab_16e6.txt.gz",
        source: "https://github.com/openai/CLIP/blob/main/clip/bpe_simple_vocab_16e6.txt.gz",
        size: "1,356,917 bytes",
        licence: "MIT",
        sha256: Some("924691ac288e54409236115652ad4aa250f48203de50a9e4722a6ecd48d6804a"),
        uses: &[
            umbenet("paper", "vocabulary"),
            umbenet("paper-b16", "vocabulary"),
            umbenet("paper-b32", "vocabulary"),
            umbenet("official-compat", "vocabulary"),
        ],
    },
    Published {
        key: "mae-face",
        title: "MAE-Face",
        what: "reads faces",
        file: "mae_face_pretrain_vit_base.pth",
        source: "https://github.com/FuxiVirtualHuman/MAE-Face",
        size: "about 340 MB",
        licence: "MIT",
        sha256: None,
        uses: &[mma_dfer("mae_face")],
    },
    Published {
        key: "audiomae",
        title: "AudioMAE",
        what: "reads spectrograms of speech",
        file: "pretrained.pth",
        source: "https://github.com/facebookresearch/AudioMAE",
        size: "about 340 MB without its decoder",
        licence: "CC BY 4.0",
        sha256: None,
        uses: &[mma_dfer("audiomae")],
    },
    Published {
        key: "wav2vec2-large-robust",
        title: "wav2vec 2.0 large robust",
        what: "reads waveforms of speech",
        file: "pytorch_model.bin",
        source: "https://huggingface.co/facebook/wav2vec2-large-robust",
        size: "1.27 GB",
        licence: "Apache 2.0",
        sha256: None,
        uses: &[vavl("wav2vec2")],
    },
    Published {
        key: "efficientnet-b2",
        title: "EfficientNet-B2 for faces",
        what: "reads faces",
        file: "enet_b2_8_best.pt",
        source: "https://github.com/av-savchenko/face-emotion-recognition",
        size: "about 31 MB",
        licence: "Apache 2.0",
        sha256: None,
        uses: &[vavl("efficientnet")],
    },
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_use_is_a_setting_that_the_preset_has() {
        for published in PUBLISHED {
            assert!(!published.uses.is_empty(), "{} serves nothing", published.key);
            for Use { model, preset, setting } in published.uses {
                let settings = crate::settings_of(&model.preset(preset).unwrap());
                let own = settings.iter().find(|own| own.key == *setting);
                assert_eq!(own.map(|own| own.value.as_str()), Some(""), "{model} {preset} {setting}");
            }
            let known =
                published.sha256.is_none_or(|sum| sum.len() == 64 && sum.chars().all(|c| c.is_ascii_hexdigit()));
            assert!(known, "{}", published.key);
        }
    }
}
