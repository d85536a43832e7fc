//! A reference case: what to build, what to feed, what must come out.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use burn::module::{Module, ModuleVisitor, Param};
use burn::optim::GradientsParams;
use burn::tensor::{Device, Int, Tensor, TensorData};
use models::Rename;
use safetensors::tensor::{Dtype, SafeTensors, TensorView};
use serde_json::Value;

/// A reference case and what was compared of it so far.
pub struct Case {
    name: String,
    folder: PathBuf,
    description: Value,
    stored: Vec<u8>,
    written: tempfile::TempDir,
    compared: BTreeSet<String>,
    pub failures: Vec<String>,
    pub n_compared: usize,
    /// The largest error as a fraction of its tolerance, and of which output.
    pub worst: (f64, String),
}

/// A tensor that a case feeds.
pub struct Input {
    pub name: String,
    pub shape: Vec<usize>,
    values: Vec<f64>,
}

impl Input {
    pub fn floats(&self) -> Vec<f32> {
        self.values.iter().map(|&value| value as f32).collect()
    }

    pub fn doubles(&self) -> &[f64] {
        &self.values
    }

    pub fn ints(&self) -> Vec<i64> {
        self.values.iter().map(|&value| value as i64).collect()
    }

    pub fn tensor<const D: usize>(&self, device: &Device) -> Tensor<D> {
        Tensor::from_data(TensorData::new(self.floats(), self.dims::<D>()), device)
    }

    pub fn int_tensor<const D: usize>(&self, device: &Device) -> Tensor<D, Int> {
        Tensor::from_data(TensorData::new(self.ints(), self.dims::<D>()), device)
    }

    fn dims<const D: usize>(&self) -> [usize; D] {
        <[usize; D]>::try_from(self.shape.clone())
            .unwrap_or_else(|shape| panic!("{} has the shape {shape:?}", self.name))
    }
}

impl Case {
    /// Opens a case, or says why that cannot be.
    pub fn open(folder: &Path) -> Result<Self, String> {
        let description = std::fs::read_to_string(folder.join("case.json"));
        let description = description.map_err(|error| format!("case.json cannot be read: {error}"))?;
        Ok(Self {
            name: folder.file_name().unwrap().to_string_lossy().into_owned(),
            folder: folder.to_owned(),
            description: serde_json::from_str(&description).map_err(|error| format!("case.json: {error}"))?,
            // Some cases hold everything in their description.
            stored: std::fs::read(folder.join("tensors.safetensors")).unwrap_or_default(),
            written: tempfile::tempdir().unwrap(),
            compared: BTreeSet::new(),
            failures: Vec::new(),
            n_compared: 0,
            worst: (0.0, String::new()),
        })
    }

    /// Fails where the configuration asks for another value than the one that is built in.
    #[track_caller]
    pub fn expects(&self, name: &str, built_in: impl Into<Value>) {
        let (asked, built_in) = (self.config(name), built_in.into());
        let same = match (asked.as_f64(), built_in.as_f64()) {
            (Some(asked), Some(built_in)) => asked == built_in,
            _ => *asked == built_in,
        };
        assert!(asked.is_null() || same, "config.{name} is {asked}, only {built_in} is known");
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    /// The folder that holds all cases.
    pub fn root(&self) -> &Path {
        self.folder.parent().unwrap()
    }

    pub fn json(&self) -> &Value {
        &self.description
    }

    pub fn is_heavy(&self) -> bool {
        self.description["heavy"] == true
    }

    /// A whole number of the configuration.
    #[track_caller]
    pub fn size(&self, name: &str) -> usize {
        whole(self.config(name)).unwrap_or_else(|| panic!("config.{name} is not a whole number"))
    }

    /// A number of the configuration.
    #[track_caller]
    pub fn number(&self, name: &str) -> f64 {
        self.config(name).as_f64().unwrap_or_else(|| panic!("config.{name} is not a number"))
    }

    /// A list of whole numbers of the configuration.
    #[track_caller]
    pub fn sizes(&self, name: &str) -> Vec<usize> {
        let sizes = self.config(name).as_array().unwrap_or_else(|| panic!("config.{name} is not a list"));
        let size = |size| whole(size).unwrap_or_else(|| panic!("config.{name} has {size}, not a whole number"));
        sizes.iter().map(size).collect()
    }

    /// A switch of the configuration.
    #[track_caller]
    pub fn flag(&self, name: &str) -> bool {
        self.config(name).as_bool().unwrap_or_else(|| panic!("config.{name} is not a switch"))
    }

    /// A word of the configuration.
    #[track_caller]
    pub fn text(&self, name: &str) -> &str {
        self.config(name).as_str().unwrap_or_else(|| panic!("config.{name} is not a text"))
    }

    /// An entry of the configuration; null where there is none.
    pub fn config(&self, name: &str) -> &Value {
        &self.description["config"][name]
    }

    /// Writes all parameters as one checkpoint.
    pub fn checkpoint(&self) -> PathBuf {
        self.write("checkpoint.safetensors", |_| true, "name")
    }

    /// Writes the parameters of one file of a published set, under the names that they have there.
    pub fn checkpoint_file(&self, file: &str) -> PathBuf {
        self.write(&format!("{file}.safetensors"), |parameter| parameter["file"] == file, "key")
    }

    fn write(&self, file: &str, is_in: impl Fn(&Value) -> bool, key: &str) -> PathBuf {
        let path = self.written.path().join(file.replace('/', "-"));
        let parameters: Vec<&Value> = self.list("parameters").iter().filter(|parameter| is_in(parameter)).collect();
        assert!(!parameters.is_empty(), "{} has no parameters for {file}", self.name);
        let tensors: Vec<(&str, Vec<usize>, Vec<u8>)> = parameters
            .into_iter()
            .map(|parameter| {
                let name = parameter[key].as_str().or(parameter["name"].as_str()).unwrap();
                let values = self.values(parameter).into_iter().map(|value| value as f32);
                (name, shape(parameter), values.flat_map(f32::to_le_bytes).collect())
            })
            .collect();
        let views = tensors
            .iter()
            .map(|(name, shape, bytes)| (name, TensorView::new(Dtype::F32, shape.clone(), bytes).unwrap()));
        std::fs::write(&path, safetensors::serialize(views, None).unwrap()).unwrap();
        path
    }

    fn list(&self, key: &str) -> &[Value] {
        self.description[key].as_array().map_or(&[], Vec::as_slice)
    }

    /// (role, name) of the inputs.
    pub fn roles(&self) -> Vec<(String, String)> {
        let text = |input: &Value, key: &str| input[key].as_str().unwrap_or_default().to_owned();
        self.list("inputs").iter().map(|input| (text(input, "role"), text(input, "name"))).collect()
    }

    /// The input with this name.
    #[track_caller]
    pub fn input(&self, name: &str) -> Input {
        self.find(|input| input["name"] == name).unwrap_or_else(|| panic!("{} has no input {name}", self.name))
    }

    /// The input with this role.
    #[track_caller]
    pub fn by_role(&self, role: &str) -> Input {
        self.find(|input| input["role"] == role).unwrap_or_else(|| panic!("{} has no input for {role}", self.name))
    }

    /// All inputs with the role `item`.
    pub fn items(&self) -> Vec<Input> {
        let items = self.list("inputs").iter().filter(|input| input["role"] == "item");
        items.map(|input| self.read(input)).collect()
    }

    fn find(&self, is_it: impl Fn(&Value) -> bool) -> Option<Input> {
        self.list("inputs").iter().find(|input| is_it(input)).map(|input| self.read(input))
    }

    fn read(&self, input: &Value) -> Input {
        let name = input["name"].as_str().unwrap().to_owned();
        Input { shape: shape(input), values: self.values(input), name }
    }

    /// The numbers of an input or a parameter.
    fn values(&self, tensor: &Value) -> Vec<f64> {
        if tensor["stored"] == true { self.stored(tensor["name"].as_str().unwrap()) } else { generated(tensor) }
    }

    /// The tensor of the case's file with this name.
    #[track_caller]
    pub fn stored(&self, name: &str) -> Vec<f64> {
        let file = SafeTensors::deserialize(&self.stored).unwrap();
        let view = file.tensor(name).unwrap_or_else(|_| panic!("{} stores no {name}", self.name));
        macro_rules! numbers {
            ($kind:ty) => {
                view.data()
                    .chunks_exact(size_of::<$kind>())
                    .map(|bytes| <$kind>::from_le_bytes(bytes.try_into().unwrap()) as f64)
                    .collect()
            };
        }
        match view.dtype() {
            Dtype::F64 => numbers!(f64),
            Dtype::F32 => numbers!(f32),
            Dtype::I64 => numbers!(i64),
            Dtype::I32 => numbers!(i32),
            Dtype::I16 => numbers!(i16),
            Dtype::I8 => numbers!(i8),
            Dtype::U64 => numbers!(u64),
            Dtype::U32 => numbers!(u32),
            Dtype::U16 => numbers!(u16),
            Dtype::U8 | Dtype::BOOL => numbers!(u8),
            other => panic!("{name} is stored as {other:?}"),
        }
    }

    /// Names of all outputs.
    pub fn outputs(&self) -> Vec<String> {
        self.list("outputs").iter().map(|output| output["name"].as_str().unwrap().to_owned()).collect()
    }

    /// Whether the case has an output of this name.
    pub fn wants(&self, name: &str) -> bool {
        self.list("outputs").iter().any(|output| output["name"] == name)
    }

    /// Compares with the stored output of this name, within its tolerance; whole numbers must be equal. An output that
    /// the case does not ask for is not compared; one that nobody computes is found by [`Case::forgotten`].
    #[track_caller]
    pub fn compare(&mut self, name: &str, got: &[f32]) {
        let outputs = self.list("outputs");
        let output = outputs.iter().find(|output| output["name"] == name);
        let Some(output) = output else { return };
        // What has no tolerance is exact.
        let (atol, rtol) = (output["atol"].as_f64().unwrap_or(0.0), output["rtol"].as_f64().unwrap_or(0.0));
        let want = self.stored(name);
        self.compared.insert(name.to_owned());
        if got.len() == want.len() {
            self.record(name, got.iter().map(|&value| f64::from(value)), &want, (atol, rtol));
        } else {
            self.failures.push(format!("{name} has {} values, should have {}", got.len(), want.len()));
        }
    }

    /// The same for a tensor.
    #[track_caller]
    pub fn compare_tensor<const D: usize>(&mut self, name: &str, got: &Tensor<D>) {
        self.compare(name, &values(got));
    }

    /// Compares a number that stands in the description; not a number is equal to itself here.
    pub fn check(&mut self, what: &str, got: f64, want: f64, atol: f64, rtol: f64) {
        self.record(what, std::iter::once(got), &[want], (atol, rtol));
    }

    fn record(&mut self, name: &str, got: impl Iterator<Item = f64>, want: &[f64], (atol, rtol): (f64, f64)) {
        self.n_compared += 1;
        let mut worst = (0.0, 0, 0.0);
        for (idx, (got, &want)) in got.zip(want).enumerate() {
            let difference = (got - want).abs();
            let same = got == want || (got.is_nan() && want.is_nan());
            let error = match difference / (atol + rtol * want.abs()) {
                _ if same => 0.0,
                error if error.is_nan() => f64::INFINITY,
                error => error,
            };
            if error > worst.0 {
                worst = (error, idx, got);
            }
        }
        let (error, idx, got) = worst;
        if error > 1.0 {
            let want = want[idx];
            self.failures.push(format!("{name}[{idx}] is {got}, should be {want}: {error:.3} of the tolerance"));
        }
        if error > self.worst.0 || self.worst.1.is_empty() {
            self.worst = (error, name.to_owned());
        }
    }

    /// Outputs that nobody compared.
    pub fn forgotten(&self) -> Vec<String> {
        self.outputs().into_iter().filter(|name| !self.compared.contains(name)).collect()
    }
}

/// The numbers of a tensor.
pub fn values<const D: usize>(tensor: &Tensor<D>) -> Vec<f32> {
    tensor.clone().detach().try_into_vec_as().unwrap()
}

/// A whole number, also where it is written as `4.0`.
fn whole(value: &Value) -> Option<usize> {
    value.as_f64().filter(|value| value.fract() == 0.0 && *value >= 0.0).map(|value| value as usize)
}

fn shape(tensor: &Value) -> Vec<usize> {
    tensor["shape"].as_array().unwrap().iter().map(|size| size.as_u64().unwrap() as usize).collect()
}

/// The rule by which values follow from a name: FNV-1a, then one SplitMix64 step per element; rounded to 32 bits.
fn generated(tensor: &Value) -> Vec<f64> {
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
            f64::from((base + scale * ((z >> 40) as f64 / 8_388_608.0 - 1.0)) as f32)
        })
        .collect()
}

/// Euclidean norms of the gradients, under the names of the checkpoint.
pub fn gradient_norms<M: Module>(module: &M, grads: &GradientsParams, renames: &[Rename]) -> Vec<(String, f32)> {
    norms(module, grads, renames).into_iter().filter_map(|(name, norm)| Some((name, norm?))).collect()
}

/// The same of every parameter that is trained, zero where nothing of the loss comes from it.
pub fn norms_or_zero<M: Module>(module: &M, grads: &GradientsParams, renames: &[Rename]) -> Vec<(String, f32)> {
    norms(module, grads, renames).into_iter().map(|(name, norm)| (name, norm.unwrap_or_default())).collect()
}

fn norms<M: Module>(module: &M, grads: &GradientsParams, renames: &[Rename]) -> Vec<(String, Option<f32>)> {
    let mut norms = Norms { grads, renames, path: Vec::new(), found: Vec::new() };
    module.visit(&mut norms);
    norms.found
}

struct Norms<'a> {
    grads: &'a GradientsParams,
    renames: &'a [Rename],
    path: Vec<(String, bool)>,
    /// Of each parameter that is trained or has a gradient.
    found: Vec<(String, Option<f32>)>,
}

impl ModuleVisitor for Norms<'_> {
    fn enter_module(&mut self, name: &str, container: &str) {
        let name = match name {
            "gamma" => "weight",
            "beta" => "bias",
            name => name,
        };
        // What an enum's variant is called does not show in a checkpoint.
        self.path.push((name.to_owned(), container.starts_with("Enum:")));
    }

    fn exit_module(&mut self, _name: &str, _container: &str) {
        self.path.pop();
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let path: Vec<&str> = self.path.iter().filter(|(_, variant)| !variant).map(|(name, _)| name.as_str()).collect();
        let name = Rename::to_checkpoint(self.renames, &path.join("."));
        let norm = self.grads.get::<D>(param.id).map(|grad| grad.square().sum().sqrt().into_scalar());
        if norm.is_some() || param.is_require_grad() {
            self.found.push((name, norm));
        }
    }
}
