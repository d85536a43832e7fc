//! Pickles of plain values and numpy arrays, as MulT, MMSA and many others publish features.
//!
//! Python's format is a program for a small machine that can call anything by name. This machine has no call: the handful of
//! names that numpy needs are built in, every other name and every opcode that could reach one is refused with its place.
//! Values live in one list and refer to each other by number, so neither depth nor cycles can hurt; large strings stay in the file.
//! Left out: objects, sets, references to other files, buffers outside the pickle, torch's tensors.

mod machine;
mod numpy;

use std::collections::BTreeMap;
use std::io::{Read, Seek};

use crate::Element;
use crate::store::{Budget, Bytes, Entry, Fault, Layout, Texts};
use machine::{Id, Value, Values};

/// Dictionaries in dictionaries that are looked into: split, modality, and one to spare.
const DEPTH: usize = 4;

/// Runs the pickle and lists the arrays, numbers and texts in its dictionaries, by path: `train/audio`.
pub(crate) fn entries(file: &mut (impl Read + Seek), n_bytes: u64) -> Result<BTreeMap<String, Entry>, Fault> {
    let (values, top) = machine::run(file, n_bytes)?;
    let mut collector = Collector { values: &values, budget: Budget::of(n_bytes), entries: BTreeMap::new() };
    collector.collect(top, String::new(), DEPTH)?;
    Ok(collector.entries)
}

/// Shape and values of a list.
type Items<'a> = (Vec<usize>, &'a [Id]);

struct Collector<'a> {
    values: &'a Values,
    budget: Budget,
    entries: BTreeMap<String, Entry>,
}

impl Collector<'_> {
    fn collect(&mut self, id: Id, name: String, depth: usize) -> Result<(), Fault> {
        self.budget.spend(name.len() + size_of::<Entry>())?;
        if let Value::Dict(pairs) = self.values.get(id) {
            for &(key, value) in pairs.iter().filter(|_| depth > 0) {
                let Some(key) = self.values.text(key) else { continue };
                let name = if name.is_empty() { key.to_string() } else { format!("{name}/{key}") };
                self.collect(value, name, depth - 1)?;
            }
            return Ok(());
        }
        let entry = match self.values.get(id) {
            Value::Array(layout) => Some(Entry::Numbers(layout.clone())),
            Value::Texts(texts) => Some(Entry::Texts(texts.clone())),
            _ => match self.texts(id)? {
                Some(texts) => Some(Entry::Texts(texts.into())),
                None => self.numbers(id)?.map(Entry::Numbers),
            },
        };
        self.entries.extend(entry.map(|entry| (name, entry)));
        Ok(())
    }

    /// Items of a list, a tuple or an array of objects, with the array's shape.
    fn items(&mut self, id: Id) -> Result<Option<Items<'_>>, Fault> {
        let (shape, items) = match self.values.get(id) {
            Value::List(items) | Value::Tuple(items) => (vec![items.len()], items),
            Value::Objects { shape, items } => (shape.clone(), items),
            _ => return Ok(None),
        };
        self.budget.spend(items.len() * size_of::<Id>())?;
        Ok(Some((shape, items)))
    }

    /// The texts that `items` are; `None` where one is something else.
    fn flat(&mut self, items: &[Id]) -> Result<Option<Vec<String>>, Fault> {
        let mut texts = Vec::new();
        for &item in items {
            let Some(text) = self.values.text(item) else { return Ok(None) };
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
            let own = match values.get(item) {
                Value::Texts(texts) => {
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
        let (shape, all) = match values.number(id) {
            Some(number) => (Vec::new(), vec![number]),
            None => {
                let Some((shape, items)) = self.items(id)? else { return Ok(None) };
                let all: Option<Vec<f64>> = items.iter().map(|&item| values.number(item)).collect();
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

#[cfg(test)]
mod tests;
