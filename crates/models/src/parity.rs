//! Reference cases: folders below `LIMBIC_PARITY`, by default `../shared/parity` beside the workspace.
//! Where they are absent, nothing is compared, and the test says so.

use std::path::{Path, PathBuf};

use burn::module::{Module, ModuleVisitor, Param};
use burn::optim::GradientsParams;
use burn::tensor::{Device, Int, Tensor, TensorData};
use safetensors::tensor::{Dtype, SafeTensors, TensorView};
use serde_json::Value;

use crate::Rename;

/// A case: what to build, what to feed, what must come out.
pub struct Case {
    description: Value,
    stored: Vec<u8>,
    dir: tempfile::TempDir,
}

impl Case {
    /// The case `name`; `None`, with a line that says so, where it is absent.
    pub fn open(name: &str) -> Option<Self> {
        let root = std::env::var_os("LIMBIC_PARITY")
            .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/parity"), PathBuf::from);
        let folder = root.join(name);
        let Ok(description) = std::fs::read_to_string(folder.join("case.json")) else {
            #[expect(clippy::print_stderr, reason = "a skipped comparison must be seen")]
            {
                eprintln!("skipped: no case {name} in {}", root.display());
            }
            return None;
        };
        Some(Self {
            description: serde_json::from_str(&description).unwrap(),
            stored: std::fs::read(folder.join("tensors.safetensors")).unwrap(),
            dir: tempfile::tempdir().unwrap(),
        })
    }

    /// A whole number of the configuration.
    pub fn size(&self, name: &str) -> usize {
        self.number(name) as usize
    }

    /// A number of the configuration.
    pub fn number(&self, name: &str) -> f64 {
        self.description["config"][name].as_f64().unwrap_or_else(|| panic!("config.{name}"))
    }

    /// Sizes of the configuration.
    pub fn sizes(&self, name: &str) -> Vec<usize> {
        let sizes = self.description["config"][name].as_array().unwrap();
        sizes.iter().map(|size| size.as_u64().unwrap() as usize).collect()
    }

    /// Number of classes.
    pub fn n_classes(&self) -> usize {
        self.description["config"]["classes"].as_array().unwrap().len()
    }

    /// The modality subsets as (name, who is present).
    pub fn subsets(&self) -> Vec<(String, [f32; 3])> {
        let subsets = self.description["subsets"].as_array().unwrap();
        subsets
            .iter()
            .map(|subset| {
                let present = [0, 1, 2].map(|modality| subset["present"][modality].as_f64().unwrap() as f32);
                (subset["name"].as_str().unwrap().to_owned(), present)
            })
            .collect()
    }

    /// Writes the parameters as a checkpoint.
    pub fn checkpoint(&self) -> PathBuf {
        let path = self.dir.path().join("checkpoint.safetensors");
        let tensors: Vec<(String, Vec<usize>, Vec<u8>)> = self.description["parameters"]
            .as_array()
            .unwrap()
            .iter()
            .map(|parameter| {
                let values = generated(parameter);
                let bytes = values.iter().flat_map(|value| value.to_le_bytes()).collect();
                (parameter["name"].as_str().unwrap().to_owned(), shape(parameter), bytes)
            })
            .collect();
        let views = tensors
            .iter()
            .map(|(name, shape, bytes)| (name, TensorView::new(Dtype::F32, shape.clone(), bytes).unwrap()));
        std::fs::write(&path, safetensors::serialize(views, None).unwrap()).unwrap();
        path
    }

    /// The input with this role.
    pub fn floats<const D: usize>(&self, role: &str, device: &Device) -> Tensor<D> {
        let input = self.input(role);
        let dims: [usize; D] = shape(input).try_into().unwrap();
        Tensor::from_data(TensorData::new(generated(input), dims), device)
    }

    /// The stored whole numbers with this role.
    pub fn integers(&self, role: &str) -> Vec<i64> {
        self.stored_integers(self.input(role)["name"].as_str().unwrap())
    }

    /// The same as a tensor.
    pub fn ints<const D: usize>(&self, role: &str, device: &Device) -> Tensor<D, Int> {
        let dims: [usize; D] = shape(self.input(role)).try_into().unwrap();
        Tensor::from_data(TensorData::new(self.integers(role), dims), device)
    }

    /// Compares numbers with the stored output of this name, within its tolerance.
    #[track_caller]
    pub fn compare(&self, name: &str, got: &[f32]) {
        let outputs = self.description["outputs"].as_array().unwrap();
        let output = outputs.iter().find(|output| output["name"] == name).unwrap_or_else(|| panic!("output {name}"));
        let (atol, rtol) = (output["atol"].as_f64().unwrap(), output["rtol"].as_f64().unwrap());
        let want: Vec<f64> = if output["dtype"] == "int32" {
            self.stored_integers(name).iter().map(|&value| value as f64).collect()
        } else {
            let file = SafeTensors::deserialize(&self.stored).unwrap();
            let data = file.tensor(name).unwrap().data().to_vec();
            data.chunks_exact(4).map(|four| f64::from(f32::from_le_bytes(four.try_into().unwrap()))).collect()
        };
        assert_eq!(got.len(), want.len(), "{name}");
        for (idx, (&got, want)) in got.iter().zip(want).enumerate() {
            let difference = (f64::from(got) - want).abs();
            assert!(difference <= atol + rtol * want.abs(), "{name}[{idx}] is {got}, should be {want}");
        }
    }

    /// Names of the outputs that start with `prefix`, without it.
    pub fn outputs(&self, prefix: &str) -> Vec<String> {
        let outputs = self.description["outputs"].as_array().unwrap();
        outputs.iter().filter_map(|output| output["name"].as_str()?.strip_prefix(prefix).map(str::to_owned)).collect()
    }

    fn input(&self, role: &str) -> &Value {
        let inputs = self.description["inputs"].as_array().unwrap();
        inputs.iter().find(|input| input["role"] == role).unwrap_or_else(|| panic!("input {role}"))
    }

    fn stored_integers(&self, name: &str) -> Vec<i64> {
        let file = SafeTensors::deserialize(&self.stored).unwrap();
        let view = file.tensor(name).unwrap();
        let width = view.data().len() / view.shape().iter().product::<usize>().max(1);
        view.data()
            .chunks_exact(width)
            .map(|bytes| match width {
                8 => i64::from_le_bytes(bytes.try_into().unwrap()),
                _ => i64::from(i32::from_le_bytes(bytes.try_into().unwrap())),
            })
            .collect()
    }
}

fn shape(tensor: &Value) -> Vec<usize> {
    tensor["shape"].as_array().unwrap().iter().map(|size| size.as_u64().unwrap() as usize).collect()
}

/// The rule by which values follow from a name: FNV-1a, then one SplitMix64 step per element.
fn generated(tensor: &Value) -> Vec<f32> {
    let name = tensor["name"].as_str().unwrap();
    let (base, scale) = (tensor["base"].as_f64().unwrap(), tensor["scale"].as_f64().unwrap());
    let seed = name
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
    let n: usize = shape(tensor).iter().product();
    (0..n as u64)
        .map(|i| {
            let z = seed.wrapping_add(i.wrapping_mul(0x9e37_79b9_7f4a_7c15));
            let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            let z = z ^ (z >> 31);
            (base + scale * ((z >> 40) as f64 / 8_388_608.0 - 1.0)) as f32
        })
        .collect()
}

/// Euclidean norms of the gradients, under the names of the checkpoint.
pub fn gradient_norms<M: Module>(module: &M, grads: &GradientsParams, renames: &[Rename]) -> Vec<(String, f32)> {
    let mut norms = Norms { grads, renames, path: Vec::new(), found: Vec::new() };
    module.visit(&mut norms);
    norms.found
}

struct Norms<'a> {
    grads: &'a GradientsParams,
    renames: &'a [Rename],
    path: Vec<(String, bool)>,
    found: Vec<(String, f32)>,
}

impl ModuleVisitor for Norms<'_> {
    fn enter_module(&mut self, name: &str, container: &str) {
        // What an enum's variant is called does not show in a checkpoint.
        let name = match name {
            "gamma" => "weight",
            "beta" => "bias",
            name => name,
        };
        self.path.push((name.to_owned(), container.starts_with("Enum:")));
    }

    fn exit_module(&mut self, _name: &str, _container: &str) {
        self.path.pop();
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let path: Vec<&str> = self.path.iter().filter(|(_, variant)| !variant).map(|(name, _)| name.as_str()).collect();
        let path = path.join(".");
        let name = self
            .renames
            .iter()
            .find(|rename| path.starts_with(rename.module))
            .map_or(path.clone(), |rename| format!("{}{}", rename.checkpoint, &path[rename.module.len()..]));
        if let Some(grad) = self.grads.get::<D>(param.id) {
            self.found.push((name, grad.square().sum().sqrt().into_scalar()));
        }
    }
}
