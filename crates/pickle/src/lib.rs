//! Python's pickles, without running them.
//!
//! A pickle is a program for a small machine that can call anything by name. Here no name is ever looked up: what
//! names, calls and references stand for is said by a [`Dialect`], numpy's or PyTorch's say, and what it does not take
//! is refused with its name and its place. Values live in one list and refer to each other by number, so that neither
//! depth nor cycles can hurt; large strings stay in the file. Read are protocols 0 to 5. Left out: texts with escapes,
//! which only protocol 0 has, and buffers outside the pickle. Whole numbers of more than 64 bits are read as nothing,
//! and sets as lists.
//!
//! Follows CPython's pickletools.

mod machine;

use std::borrow::Cow;
use std::sync::Arc;

pub use machine::run;

/// Position of a value among all values.
pub type Id = u32;

/// How reading fails; the path is added by the caller.
#[derive(Debug)]
pub enum Fault {
    /// What the system says.
    Io(std::io::Error),
    /// Something that does not fit, and where.
    Damaged(String),
    /// Something that only running it could tell, and where.
    Refused(String),
}

impl From<std::io::Error> for Fault {
    fn from(error: std::io::Error) -> Self {
        match error.kind() {
            std::io::ErrorKind::UnexpectedEof => Self::Damaged("it ends too early".to_owned()),
            _ => Self::Io(error),
        }
    }
}

/// Where bytes are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Bytes {
    /// In the file: first byte and number.
    InFile(u64, u64),
    /// In memory.
    Here(Arc<[u8]>),
}

impl Bytes {
    /// How many there are.
    pub fn n_bytes(&self) -> u64 {
        match self {
            Self::InFile(_, n_bytes) => *n_bytes,
            Self::Here(bytes) => bytes.len() as u64,
        }
    }
}

/// A value of a pickle.
#[derive(Debug, Clone)]
pub enum Value<T> {
    /// Python's `None`.
    None,
    /// A truth value.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// Any other number.
    Float(f64),
    /// A text.
    Text(String),
    /// Bytes, or a text of Python 2.
    Bytes(Bytes),
    /// A list or a set.
    List(Vec<Id>),
    /// A tuple.
    Tuple(Vec<Id>),
    /// Keys and values; of a key that is there twice the last one counts.
    Dict(Vec<(Id, Id)>),
    /// What the dialect knows; in a box, so that a file of many small values does not take more memory for it.
    Own(Box<T>),
}

impl<T> Value<T> {
    /// A value of the dialect.
    pub fn own(value: T) -> Self {
        Self::Own(Box::new(value))
    }
}

/// All values of a pickle.
#[derive(Debug)]
pub struct Values<T>(Vec<Value<T>>);

impl<T> Values<T> {
    /// The value at a position.
    pub fn get(&self, id: Id) -> &Value<T> {
        &self.0[id as usize]
    }

    /// All of them, in the order in which they were made.
    pub fn iter(&self) -> impl Iterator<Item = &Value<T>> {
        self.0.iter()
    }

    /// A value of the dialect.
    pub fn own(&self, id: Id) -> Option<&T> {
        match self.get(id) {
            Value::Own(own) => Some(own),
            _ => None,
        }
    }

    /// A text, or bytes that are one: Python 2 knew no difference.
    pub fn text(&self, id: Id) -> Option<Cow<'_, str>> {
        match self.get(id) {
            Value::Text(text) => Some(text.into()),
            Value::Bytes(Bytes::Here(bytes)) => Some(String::from_utf8_lossy(bytes)),
            _ => None,
        }
    }

    /// Items of a list or a tuple.
    pub fn items(&self, id: Id) -> Option<&[Id]> {
        match self.get(id) {
            Value::List(items) | Value::Tuple(items) => Some(items),
            _ => None,
        }
    }

    /// A whole number that is not negative.
    pub fn size(&self, id: Id) -> Option<usize> {
        match self.get(id) {
            Value::Int(number) => usize::try_from(*number).ok(),
            _ => None,
        }
    }

    /// Whole numbers, none negative, of a list or a tuple.
    pub fn sizes(&self, id: Id) -> Option<Vec<usize>> {
        self.items(id)?.iter().map(|&item| self.size(item)).collect()
    }

    /// What a dictionary has under `name`.
    pub fn entry(&self, dict: Id, name: &str) -> Option<Id> {
        let Value::Dict(pairs) = self.get(dict) else { return None };
        pairs.iter().rev().find(|(key, _)| self.text(*key).is_some_and(|key| key == name)).map(|(_, value)| *value)
    }
}

/// Reads bytes that were left in the file.
pub type Fetch<'a> = &'a mut dyn FnMut(&Bytes) -> Result<Vec<u8>, Fault>;

/// What the names of a kind of pickles stand for. Nothing is called: values are made of values. Faults say what is
/// wrong, the machine adds where.
pub trait Dialect: Sized {
    /// What a name stands for.
    fn global(module: &str, name: &str) -> Result<Self, Fault>;

    /// What a call of this value stands for.
    fn call(&self, arguments: &[Id], values: &Values<Self>, fetch: Fetch<'_>) -> Result<Value<Self>, Fault>;

    /// What `object` becomes by its state; `None` leaves it as it is.
    fn build(
        object: &Value<Self>,
        state: Id,
        values: &Values<Self>,
        fetch: Fetch<'_>,
    ) -> Result<Option<Value<Self>>, Fault>;

    /// An object of this class, made without calling it.
    fn object(&self) -> Option<Value<Self>> {
        None
    }

    /// Whether it is an object of a class that is not known, which may turn out to be a list or a dictionary.
    fn may_hold_items(&self) -> bool {
        false
    }

    /// What a reference to something outside the pickle stands for.
    fn persistent(_id: Id, _values: &Values<Self>) -> Result<Value<Self>, Fault> {
        Err(Fault::Refused("a value outside the pickle".to_owned()))
    }

    /// Memory that it takes beside itself.
    fn n_bytes(&self) -> usize;
}

/// Bytes that may still be made of a file. A few bytes can ask for the same list a million times; files of this world
/// do not.
#[derive(Debug)]
pub struct Budget(u64);

impl Budget {
    /// For a file of `n_bytes`: values take more room in memory than in it.
    pub fn of(n_bytes: u64) -> Self {
        Self(n_bytes.saturating_mul(32).saturating_add(1 << 20))
    }

    /// Takes from what is left; damaged where that is too little.
    pub fn spend(&mut self, n_bytes: usize) -> Result<(), Fault> {
        let left = self.0.checked_sub(n_bytes as u64);
        self.0 = left.ok_or_else(|| Fault::Damaged("it has the same values again and again".to_owned()))?;
        Ok(())
    }
}
