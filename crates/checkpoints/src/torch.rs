//! Checkpoints of PyTorch: where in the file each tensor lies. Numbers stay in the file until they are needed.
//!
//! Read are the archive that `torch.save` writes since 1.6, TorchScript's archive, which is one too, and the stream of
//! pickles of before. Left out: the TAR of before 0.1.10, big-endian files, sparse, quantized and complex tensors.

use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::io::{BufReader, Cursor, Read as _, Seek as _, SeekFrom};
use std::path::Path;
use std::sync::Arc;

use pickle::{Budget, Dialect as _, Fault, Id, Value};

use crate::names::{self, Torch, Values};
use crate::tensor::Tensor;
use crate::{Container, Contents, archive};

/// More than any checkpoint's pickle, which has names and sizes only.
const MAX_PICKLE_BYTES: u64 = 100 << 20;
/// Dictionaries in dictionaries that are looked into.
const MAX_DEPTH: usize = 32;
/// More tensors than any checkpoint has.
const MAX_TENSORS: usize = 100_000;
/// What the place of a tensor takes beside its name.
const PLACE_BYTES: usize = 128;
/// Values that are looked at in search of tensors.
const MAX_LOOKS: usize = 1 << 22;
/// What a stream of pickles begins with: 0x1950a86a20f9469cfc6c.
const LEGACY_MAGIC: [u8; 10] = [0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19];
const LEGACY_PROTOCOL: i64 = 1001;
/// Keys under which training scripts keep the weights beside what else they save.
const WRAPPERS: [&str; 3] = ["state_dict", "model_state_dict", "model"];
/// What a module keeps its tensors and its parts in.
const MODULE_TABLES: [&str; 3] = ["_parameters", "_buffers", "_modules"];

/// Whether a file begins as one of PyTorch's does.
pub(crate) fn is_torch(head: &[u8]) -> bool {
    head.starts_with(b"PK\x03\x04") || is_legacy(head)
}

fn is_legacy(head: &[u8]) -> bool {
    head.first() == Some(&0x80) && head.windows(LEGACY_MAGIC.len()).any(|bytes| bytes == LEGACY_MAGIC)
}

/// Where the bytes of a storage are: the first one and how many.
type Places = HashMap<String, (u64, u64)>;

/// A file whose pickle was read.
struct Opened {
    container: Container,
    values: Values,
    root: Id,
    /// Length of the pickle, at most.
    n_bytes: u64,
    places: Places,
}

/// Lists the tensors of a file that [`is_torch`].
pub(crate) fn contents(path: &Arc<Path>, mut file: File, n_bytes: u64, head: &[u8]) -> Result<Contents, Fault> {
    let Opened { container, values, root, n_bytes, places } = match is_legacy(head) {
        true => legacy(&mut file, n_bytes)?,
        false => archive(&mut file, n_bytes)?,
    };
    let mut finder = Finder { values: &values, n_looks: 0, budget: Budget::of(n_bytes), found: BTreeMap::new() };
    let (weights, wrapper) = unwrapped(&values, root);
    finder.find(weights, String::new(), 0)?;
    let (mut tensors, mut set_aside) = (Vec::new(), Vec::new());
    for (name, id) in std::mem::take(&mut finder.found) {
        match values.own(id) {
            Some(Torch::Tensor(layout)) => {
                let place = places.get(&layout.storage).copied();
                let place = place.ok_or_else(|| Fault::Damaged(format!("the numbers of {name} are not in it")))?;
                tensors.push(Tensor::located(name, layout.clone(), path, place)?);
            }
            Some(Torch::Unread(what)) => {
                return Err(Fault::Damaged(format!("{name} is {what}, which is not read")));
            }
            _ => set_aside.push(described(&values, name, id)),
        }
    }
    if let Some(wrapper) = wrapper {
        finder.find(root, String::new(), 0)?;
        let own = format!("{wrapper}.");
        let others = finder.found.into_iter().filter(|(name, _)| !name.starts_with(&own));
        set_aside.extend(others.map(|(name, id)| described(&values, name, id)));
    }
    Ok(Contents { container, tensors, set_aside })
}

/// The name of a value beside the weights, and what it is where it is no tensor that could be read.
fn described(values: &Values, name: String, id: Id) -> String {
    let name = if name.is_empty() { "all of it".to_owned() } else { name };
    match values.own(id) {
        Some(Torch::Opaque(function)) => format!("{name} (made by {function})"),
        Some(Torch::Unread(what)) => format!("{name} ({what})"),
        _ => name,
    }
}

/// The dictionary of weights, and the key that it was under where it was not alone.
fn unwrapped(values: &Values, root: Id) -> (Id, Option<&'static str>) {
    let is_dict =
        |id: &Id| matches!((values.get(*id), values.own(*id)), (Value::Dict(_), _) | (_, Some(Torch::Object(_))));
    let wrapped = |key: &'static str| Some((values.entry(root, key).filter(is_dict)?, Some(key)));
    WRAPPERS.into_iter().find_map(wrapped).unwrap_or((root, None))
}

/// Opens an archive.
fn archive(file: &mut File, n_bytes: u64) -> Result<Opened, Fault> {
    let parts = archive::parts(file, n_bytes)?;
    // The folder that everything lies in is named after the file.
    let folder = parts.keys().filter_map(|name| name.strip_suffix("data.pkl")).min_by_key(|folder| folder.len());
    let folder = folder
        .ok_or_else(|| Fault::Damaged("it is an archive, but none of PyTorch's: there is no data.pkl in it".into()))?;
    let part = |name: &str| parts.get(&format!("{folder}{name}")).copied();
    let mut read = |name: &str| match part(name).map(|place| archive::stored(name, place)).transpose()? {
        Some((_, n_bytes)) if n_bytes > MAX_PICKLE_BYTES => {
            Err(Fault::Damaged(format!("its {name} is larger than {MAX_PICKLE_BYTES} bytes")))
        }
        Some(place) => archive::read(file, place).map(Some),
        None => Ok(None),
    };
    if read("byteorder")?.is_some_and(|order| order.trim_ascii() != b"little") {
        return Err(big_endian());
    }
    let program = read("data.pkl")?.unwrap_or_default();
    let (values, root) = pickle::run(&mut Cursor::new(&program), program.len() as u64)?;
    let data = format!("{folder}data/");
    let numbers = parts.iter().filter_map(|(name, place)| Some((name.strip_prefix(&data)?, name, *place)));
    let places = numbers.map(|(key, name, place)| Ok((key.to_owned(), archive::stored(name, place)?)));
    let places = places.collect::<Result<_, Fault>>()?;
    let is_script = part("constants.pkl").is_some();
    let container = if is_script { Container::TorchScript } else { Container::Torch };
    Ok(Opened { container, values, root, n_bytes: program.len() as u64, places })
}

/// Opens a stream of pickles: magic number, protocol, system, weights, order of the storages, storages.
fn legacy(file: &mut File, n_bytes: u64) -> Result<Opened, Fault> {
    let mut reader = BufReader::new(file);
    let mut next = || pickle::run::<Torch>(&mut reader, n_bytes);
    next()?;
    let (values, protocol) = next()?;
    if !matches!(values.get(protocol), Value::Int(LEGACY_PROTOCOL)) {
        return Err(Fault::Damaged(format!("its protocol is not {LEGACY_PROTOCOL}")));
    }
    let (values, system) = next()?;
    let is_little = values.entry(system, "little_endian").is_some_and(|id| matches!(values.get(id), Value::Bool(true)));
    if !is_little {
        return Err(big_endian());
    }
    let (values, root) = next()?;
    let (key_values, keys) = next()?;
    let n_pickled = reader.stream_position()?;
    let keys = key_values.items(keys).ok_or_else(|| Fault::Damaged("its storages have no order".into()))?;
    let sizes: HashMap<&str, usize> =
        names::storages(&values).filter_map(|storage| Some((storage.key.as_str(), storage.elements.size()?))).collect();
    let mut places = Places::new();
    for &key in keys {
        let key = names::key(&key_values, key).unwrap_or_default();
        let size =
            *sizes.get(key.as_str()).ok_or_else(|| Fault::Damaged(format!("no tensor is in storage {key:?}")))?;
        let mut n_elements = [0; 8];
        reader.read_exact(&mut n_elements)?;
        let start = reader.stream_position()?;
        let len = u64::from_le_bytes(n_elements).checked_mul(size as u64);
        let end = len.and_then(|len| start.checked_add(len)).filter(|&end| end <= n_bytes);
        let end = end.ok_or_else(|| Fault::Damaged(format!("storage {key:?} ends after the file")))?;
        reader.seek(SeekFrom::Start(end))?;
        places.insert(key, (start, end - start));
    }
    Ok(Opened { container: Container::TorchLegacy, values, root, n_bytes: n_pickled, places })
}

fn big_endian() -> Fault {
    Fault::Damaged("it was written on a big-endian machine; save it again on another".into())
}

/// Collects tensors, and what may be some, by their paths.
struct Finder<'a> {
    values: &'a Values,
    n_looks: usize,
    /// For names and places: a few bytes can put the same tensor in many places.
    budget: Budget,
    found: BTreeMap<String, Id>,
}

impl Finder<'_> {
    fn find(&mut self, id: Id, name: String, depth: usize) -> Result<(), Fault> {
        self.n_looks += 1 + name.len() / 256;
        if self.n_looks > MAX_LOOKS {
            return Err(Fault::Damaged("it has the same values again and again".into()));
        }
        if depth > MAX_DEPTH {
            return Ok(());
        }
        let under = |key: &str| if name.is_empty() { key.to_owned() } else { format!("{name}.{key}") };
        let values = self.values;
        match values.get(id) {
            Value::Dict(pairs) => {
                for &(key, value) in pairs {
                    if let Some(key) = names::key(values, key) {
                        self.find(value, under(&key), depth + 1)?;
                    }
                }
            }
            Value::List(items) | Value::Tuple(items) => {
                for (index, &item) in items.iter().enumerate() {
                    self.find(item, under(&index.to_string()), depth + 1)?;
                }
            }
            Value::Own(own) => match own.as_ref() {
                Torch::Tensor(_) | Torch::Unread(_) | Torch::Opaque(_) => {
                    self.budget.spend(name.len() + PLACE_BYTES + own.n_bytes())?;
                    self.found.insert(name, id);
                    if self.found.len() > MAX_TENSORS {
                        return Err(Fault::Damaged(format!("it has more than {MAX_TENSORS} tensors")));
                    }
                }
                Torch::Object(Some(attributes)) => {
                    let tables = MODULE_TABLES.map(|table| values.entry(*attributes, table));
                    // A whole module is read as its state dictionary; one of TorchScript has its tensors as attributes.
                    match tables {
                        [Some(parameters), Some(buffers), Some(parts)] => {
                            for table in [parameters, buffers, parts] {
                                self.find(table, name.clone(), depth + 1)?;
                            }
                        }
                        _ => self.find(*attributes, name, depth + 1)?,
                    }
                }
                _ => {}
            },
            _ => {}
        }
        Ok(())
    }
}
