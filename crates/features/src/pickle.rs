//! Pickles of plain values and numpy arrays, as MulT, MMSA and many others publish features.
//!
//! Nothing is run, see [`pickle`]: the handful of names that numpy needs are known, every other one is refused with its
//! place.
//! Left out: objects, references to other files, torch's tensors.

mod numpy;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::io::{BufReader, Read, Seek};

use pickle::{Budget, Bytes, Fault, Id, Value, Values};

use crate::Element;
use crate::store::{Entry, Layout, Texts};
use numpy::Numpy;

/// Dictionaries in dictionaries that are looked into: split, modality, and one to spare.
const DEPTH: usize = 4;

/// Runs the pickle and lists the arrays, numbers and texts in its dictionaries and tuples, by path: `train/audio`.
pub(crate) fn entries(file: &mut (impl Read + Seek), n_bytes: u64) -> Result<BTreeMap<String, Entry>, Fault> {
    let (values, top) = pickle::run(&mut BufReader::new(file), n_bytes)?;
    let mut collector = Collector { values: &values, budget: Budget::of(n_bytes), entries: BTreeMap::new() };
    collector.collect(top, String::new(), DEPTH)?;
    Ok(collector.entries)
}

/// Shape and values of a list.
type Items<'a> = (Vec<usize>, &'a [Id]);

struct Collector<'a> {
    values: &'a Values<Numpy>,
    budget: Budget,
    entries: BTreeMap<String, Entry>,
}

impl Collector<'_> {
    fn collect(&mut self, id: Id, name: String, depth: usize) -> Result<(), Fault> {
        self.budget.spend(name.len() + size_of::<Entry>())?;
        if let Value::Dict(pairs) = self.values.get(id) {
            for &(key, value) in pairs.iter().filter(|_| depth > 0) {
                let Some(key) = text(self.values, key) else { continue };
                let name = if name.is_empty() { key.to_string() } else { format!("{name}/{key}") };
                self.collect(value, name, depth - 1)?;
            }
            return Ok(());
        }
        let entry = match self.values.own(id) {
            Some(Numpy::Array(layout)) => Some(Entry::Numbers(layout.clone())),
            Some(Numpy::Texts(texts)) => Some(Entry::Texts(texts.clone())),
            _ => match self.texts(id)? {
                Some(texts) => Some(Entry::Texts(texts.into())),
                None => self.numbers(id)?.map(Entry::Numbers),
            },
        };
        let values = self.values;
        match (entry, values.get(id)) {
            (Some(entry), _) => drop(self.entries.insert(name, entry)),
            // Several things at once, as a function returns them.
            (None, Value::Tuple(items)) if depth > 0 => {
                for (index, &item) in items.iter().enumerate() {
                    let name = if name.is_empty() { index.to_string() } else { format!("{name}/{index}") };
                    self.collect(item, name, depth - 1)?;
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// Items of a list, a tuple or an array of objects, with the array's shape.
    fn items(&mut self, id: Id) -> Result<Option<Items<'_>>, Fault> {
        let (shape, items) = match (self.values.items(id), self.values.own(id)) {
            (Some(items), _) => (vec![items.len()], items),
            (_, Some(Numpy::Objects { shape, items })) => (shape.clone(), items.as_slice()),
            _ => return Ok(None),
        };
        self.budget.spend(size_of_val(items))?;
        Ok(Some((shape, items)))
    }

    /// The texts that `items` are; `None` where one is something else.
    fn flat(&mut self, items: &[Id]) -> Result<Option<Vec<String>>, Fault> {
        let mut texts = Vec::new();
        for &item in items {
            let Some(text) = text(self.values, item) else { return Ok(None) };
            self.budget.spend(text.len() + size_of::<String>())?;
            texts.push(text.into_owned());
        }
        Ok(Some(texts))
    }

    /// A list of texts, or of lists of texts that are equally long.
    fn texts(&mut self, id: Id) -> Result<Option<Texts>, Fault> {
        let values = self.values;
        let Some((mut shape, items)) = self.items(id)? else { return Ok(None) };
        let items = items.to_vec();
        if let Some(texts) = self.flat(&items)?.filter(|texts| !texts.is_empty()) {
            return Ok(Some(Texts { shape, values: texts }));
        }
        let mut n_inner = None;
        let mut all = Vec::new();
        for &item in &items {
            let own = match values.own(item) {
                Some(Numpy::Texts(texts)) => {
                    self.budget.spend(texts.values.iter().map(|text| text.len() + size_of::<String>()).sum())?;
                    texts.values.clone()
                }
                _ => {
                    let Some(inner) = self.items(item)?.map(|(_, items)| items.to_vec()) else { return Ok(None) };
                    let Some(own) = self.flat(&inner)? else { return Ok(None) };
                    own
                }
            };
            if *n_inner.get_or_insert(own.len()) != own.len() {
                return Ok(None);
            }
            all.extend(own);
        }
        Ok(n_inner.map(|n_inner| {
            shape.push(n_inner);
            Texts { shape, values: all }
        }))
    }

    /// A number, or a list of numbers, as an array.
    fn numbers(&mut self, id: Id) -> Result<Option<Layout>, Fault> {
        let values = self.values;
        let (shape, all) = match number(values, id) {
            Some(number) => (Vec::new(), vec![number]),
            None => {
                let Some((shape, items)) = self.items(id)? else { return Ok(None) };
                let all: Option<Vec<f64>> = items.iter().map(|&item| number(values, item)).collect();
                let Some(all) = all else { return Ok(None) };
                self.budget.spend(all.len() * size_of::<f64>())?;
                (shape, all)
            }
        };
        let bytes = Bytes::Here(all.iter().flat_map(|number| number.to_le_bytes()).collect());
        let element = Element::Float { n_bytes: 8 };
        Ok(Layout { element, big_endian: false, fortran: false, shape, bytes }.checked().ok())
    }
}

/// A text, also where numpy wrapped it.
fn text(values: &Values<Numpy>, id: Id) -> Option<Cow<'_, str>> {
    match values.own(id) {
        Some(Numpy::Texts(texts)) if texts.shape.is_empty() => texts.values.first().map(Into::into),
        _ => values.text(id),
    }
}

/// A number, also where numpy wrapped it.
fn number(values: &Values<Numpy>, id: Id) -> Option<f64> {
    match values.get(id) {
        Value::Int(number) => Some(*number as f64),
        Value::Float(number) => Some(*number),
        Value::Bool(flag) => Some(f64::from(u8::from(*flag))),
        Value::Own(own) => match own.as_ref() {
            Numpy::Array(Layout { element, big_endian, shape, bytes: Bytes::Here(bytes), .. }) if shape.is_empty() => {
                Some(f64::from(element.value(bytes, *big_endian)))
            }
            _ => None,
        },
        _ => None,
    }
}

#[cfg(test)]
mod tests;
