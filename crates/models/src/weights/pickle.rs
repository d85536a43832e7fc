//! The stack machine of Python's pickles, as far as checkpoints of PyTorch need it: tensors and plain values, no calls.
//!
//! A pickle is a program that can call anything by name. Here no name is ever looked up: the handful that tensors are made with
//! is built in, an object of any other class is kept as its class's name and its attributes, and a call of anything else, or a
//! name of a module that reaches the system, is refused with the name. Values live in one list and refer to each other by
//! number, so that neither depth nor cycles can hurt.

use std::collections::HashMap;
use std::io::BufRead;

use burn::tensor::{BoolStore, DType};

use super::names::{self, Global};

/// Position of a value among all values.
pub(super) type Id = u32;

/// More values than any checkpoint has; each takes tens of bytes.
const MAX_VALUES: usize = 1 << 23;
/// How often, on average, a byte of the file may be copied.
const COPIES: u64 = 32;
/// Lines of the opcodes that are text.
const MAX_LINE: usize = 1 << 16;

/// How reading fails; the path is added by the caller.
#[derive(Debug)]
pub(super) enum Fault {
    Io(std::io::Error),
    /// Not what a checkpoint looks like.
    Damaged(String),
    /// Something that only running it could tell, and what.
    Refused(String),
}

impl From<std::io::Error> for Fault {
    fn from(error: std::io::Error) -> Self {
        match error.kind() {
            std::io::ErrorKind::UnexpectedEof => Self::Damaged("it ends too early".into()),
            _ => Self::Io(error),
        }
    }
}

/// A value of the pickle.
#[derive(Debug, Clone)]
pub(super) enum Value {
    /// Nothing, or something that no weights depend on.
    Other,
    Bool(bool),
    Int(i64),
    Text(String),
    Bytes(Vec<u8>),
    List(Vec<Id>),
    Tuple(Vec<Id>),
    Dict(Vec<(Id, Id)>),
    Global(Global),
    /// An object of a class that means nothing here, and what it holds.
    Object(Option<Id>),
    Storage(Storage),
    Tensor(Layout),
}

/// Numbers in a row, outside the pickle.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Storage {
    pub key: String,
    /// `None` for bytes whose type the tensor says.
    pub dtype: Option<DType>,
    /// Elements, as the pickle claims.
    pub n_elements: u64,
}

/// Which numbers of a storage a tensor has.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Layout {
    pub storage: String,
    pub dtype: DType,
    pub offset: usize,
    pub shape: Vec<usize>,
    pub stride: Vec<usize>,
}

/// All values.
#[derive(Debug, Default)]
pub(super) struct Values(Vec<Value>);

impl Values {
    pub fn get(&self, id: Id) -> &Value {
        &self.0[id as usize]
    }

    /// All storages that were referred to, some of them several times.
    pub fn storages(&self) -> impl Iterator<Item = &Storage> {
        self.0.iter().filter_map(|value| match value {
            Value::Storage(storage) => Some(storage),
            _ => None,
        })
    }

    /// A text, or bytes that are one: Python 2 knew no difference.
    pub fn text(&self, id: Id) -> Option<String> {
        match self.get(id) {
            Value::Text(text) => Some(text.clone()),
            Value::Bytes(bytes) => Some(String::from_utf8_lossy(bytes).into_owned()),
            _ => None,
        }
    }

    /// A text or a whole number, as names of tensors and storages are.
    pub fn key(&self, id: Id) -> Option<String> {
        match self.get(id) {
            Value::Int(number) => Some(number.to_string()),
            _ => self.text(id),
        }
    }

    /// What a dictionary has under `name`.
    pub fn entry(&self, dict: Id, name: &str) -> Option<Id> {
        let Value::Dict(pairs) = self.get(dict) else { return None };
        pairs.iter().rev().find(|(key, _)| self.text(*key).is_some_and(|key| key == name)).map(|(_, value)| *value)
    }

    /// Items of a list or a tuple.
    pub fn items(&self, id: Id) -> Option<&[Id]> {
        match self.get(id) {
            Value::List(items) | Value::Tuple(items) => Some(items),
            _ => None,
        }
    }

    /// Whole numbers, none negative, of a list or a tuple.
    pub fn sizes(&self, id: Id) -> Option<Vec<usize>> {
        self.items(id)?.iter().map(|&item| self.size(item)).collect()
    }

    pub fn size(&self, id: Id) -> Option<usize> {
        match self.get(id) {
            Value::Int(number) => usize::try_from(*number).ok(),
            _ => None,
        }
    }
}

/// Runs one pickle to its end, leaving `file` behind it; `n_bytes` is what `file` has at most.
pub(super) fn run(file: &mut impl BufRead, n_bytes: u64) -> Result<(Values, Id), Fault> {
    let mut machine = Machine {
        file,
        n_bytes,
        at: 0,
        values: Values::default(),
        stack: Vec::new(),
        marks: Vec::new(),
        memo: HashMap::new(),
        budget: n_bytes.saturating_mul(COPIES).saturating_add(1 << 20),
    };
    loop {
        if let Some(result) = machine.step()? {
            return Ok((machine.values, result));
        }
    }
}

struct Machine<'a, R> {
    file: &'a mut R,
    n_bytes: u64,
    /// Bytes read so far.
    at: u64,
    values: Values,
    stack: Vec<Id>,
    /// Heights of the stack where containers begin.
    marks: Vec<usize>,
    memo: HashMap<u64, Id>,
    /// Bytes that calls and references may still copy: a few of them could ask for the same list a million times.
    budget: u64,
}

impl<R: BufRead> Machine<'_, R> {
    /// Does one opcode; the result at the end.
    fn step(&mut self) -> Result<Option<Id>, Fault> {
        if self.values.0.len().max(self.stack.len()).max(self.marks.len()) >= MAX_VALUES {
            return Err(Fault::Damaged(format!("it has more than {MAX_VALUES} values")));
        }
        let place = self.at;
        let [opcode] = self.bytes()?;
        match opcode {
            b'.' => return self.pop().map(Some),
            // Protocol and frames say nothing that is needed; a buffer that may not be written to is as good.
            0x80 => drop(self.bytes::<1>()?),
            0x95 => drop(self.bytes::<8>()?),
            0x98 => {}
            b'(' => self.marks.push(self.stack.len()),
            b'0' => drop(self.pop()?),
            b'1' => drop(self.pop_mark()?),
            b'2' => {
                let top = self.top()?;
                self.stack.push(top);
            }
            b'N' => self.push(Value::Other),
            0x88 | 0x89 => self.push(Value::Bool(opcode == 0x88)),
            b'J' => {
                let number = i32::from_le_bytes(self.bytes()?);
                self.push(Value::Int(number.into()));
            }
            b'K' => {
                let [number] = self.bytes()?;
                self.push(Value::Int(number.into()));
            }
            b'M' => {
                let number = u16::from_le_bytes(self.bytes()?);
                self.push(Value::Int(number.into()));
            }
            b'I' | b'L' => {
                let line = self.line()?;
                self.push(match line.trim_end_matches('L') {
                    "00" if opcode == b'I' => Value::Bool(false),
                    "01" if opcode == b'I' => Value::Bool(true),
                    digits => digits.parse().map_or(Value::Other, Value::Int),
                });
            }
            0x8A => {
                let [length] = self.bytes()?;
                self.long(length.into())?;
            }
            0x8B => {
                let length = u32::from_le_bytes(self.bytes()?);
                self.long(length.into())?;
            }
            b'F' => {
                self.line()?;
                self.push(Value::Other);
            }
            b'G' => {
                self.bytes::<8>()?;
                self.push(Value::Other);
            }
            b'S' | b'V' => {
                let line = self.line()?;
                self.push(Value::Text(line.trim_matches(['\'', '"']).to_owned()));
            }
            b'U' | b'C' | 0x8C => {
                let [length] = self.bytes()?;
                self.string(length.into(), opcode == 0x8C)?;
            }
            b'T' | b'B' | b'X' => {
                let length = u32::from_le_bytes(self.bytes()?);
                self.string(length.into(), opcode == b'X')?;
            }
            0x8D | 0x8E | 0x96 => {
                let length = u64::from_le_bytes(self.bytes()?);
                self.string(length, opcode == 0x8D)?;
            }
            b']' | 0x8F => self.push(Value::List(Vec::new())),
            b'}' => self.push(Value::Dict(Vec::new())),
            b')' => self.push(Value::Tuple(Vec::new())),
            b'l' | 0x91 => {
                let items = self.pop_mark()?;
                self.push(Value::List(items));
            }
            b't' => {
                let items = self.pop_mark()?;
                self.push(Value::Tuple(items));
            }
            0x85..=0x87 => {
                let n = usize::from(opcode - 0x84);
                let first = self.stack.len().checked_sub(n).filter(|&first| first >= self.floor());
                let items = self.stack.split_off(first.ok_or_else(|| self.underflow())?);
                self.push(Value::Tuple(items));
            }
            b'd' => {
                let items = self.pop_mark()?;
                self.push(Value::Dict(pairs(&items)));
            }
            b'a' => {
                let item = self.pop()?;
                self.extend(&[item])?;
            }
            b'e' | 0x90 => {
                let items = self.pop_mark()?;
                self.extend(&items)?;
            }
            b's' => {
                let (value, key) = (self.pop()?, self.pop()?);
                self.insert(&[key, value])?;
            }
            b'u' => {
                let items = self.pop_mark()?;
                self.insert(&items)?;
            }
            b'p' | b'g' => {
                let slot = self.line()?.parse().map_err(|_| self.damaged("no number of a memory cell", place))?;
                self.memory(slot, opcode == b'p')?;
            }
            b'q' | b'h' => {
                let [slot] = self.bytes()?;
                self.memory(slot.into(), opcode == b'q')?;
            }
            b'r' | b'j' => {
                let slot = u32::from_le_bytes(self.bytes()?);
                self.memory(slot.into(), opcode == b'r')?;
            }
            0x94 => self.memory(self.memo.len() as u64, true)?,
            b'c' => {
                let (module, name) = (self.line()?, self.line()?);
                self.global(&module, &name, place)?;
            }
            0x93 => {
                let (name, module) = (self.pop()?, self.pop()?);
                let (Some(module), Some(name)) = (self.values.text(module), self.values.text(name)) else {
                    return Err(self.damaged("a name that is no text", place));
                };
                self.global(&module, &name, place)?;
            }
            b'Q' => {
                let id = self.pop()?;
                let value = names::persistent(id, &self.values)
                    .ok_or_else(|| self.damaged("a reference to something that is no tensor's storage", place))?;
                self.push_copy(value)?;
            }
            b'R' => {
                let (arguments, function) = (self.pop()?, self.pop()?);
                let Value::Global(function) = self.values.get(function) else {
                    return Err(Fault::Refused(format!("a call of something without a name at byte {place}")));
                };
                let value = names::call(function, arguments, &self.values).map_err(|fault| at(fault, place))?;
                self.push_copy(value)?;
            }
            // Objects are made without calling their class.
            0x81 | 0x92 => {
                self.pop()?;
                if opcode == 0x92 {
                    self.pop()?;
                }
                let class = self.pop()?;
                match self.values.get(class) {
                    Value::Global(class) if class.is_dictionary() => self.push(Value::Dict(Vec::new())),
                    Value::Global(Global::Class(_)) => self.push(Value::Object(None)),
                    _ => return Err(Fault::Refused(format!("an object without a class at byte {place}"))),
                }
            }
            b'b' => {
                let (state, object) = (self.pop()?, self.top()?);
                // Tensors and dictionaries may carry hooks and metadata, which no weights depend on.
                if let Value::Object(attributes) = &mut self.values.0[object as usize] {
                    *attributes = Some(state);
                }
            }
            b'i' => {
                let (module, name) = (self.line()?, self.line()?);
                return Err(Fault::Refused(format!("a call of {module}.{name} at byte {place}")));
            }
            b'o' | b'P' | 0x82..=0x84 | 0x97 => {
                return Err(Fault::Refused(format!("the opcode 0x{opcode:02x} at byte {place}")));
            }
            _ => return Err(self.damaged(&format!("the opcode 0x{opcode:02x}, which there is not,"), place)),
        }
        Ok(None)
    }

    fn damaged(&self, what: &str, place: u64) -> Fault {
        Fault::Damaged(format!("its pickle has {what} at byte {place}"))
    }

    fn underflow(&self) -> Fault {
        self.damaged("a value missing", self.at)
    }

    fn fill(&mut self, buffer: &mut [u8]) -> Result<(), Fault> {
        self.file.read_exact(buffer)?;
        self.at += buffer.len() as u64;
        Ok(())
    }

    fn bytes<const N: usize>(&mut self) -> Result<[u8; N], Fault> {
        let mut bytes = [0; N];
        self.fill(&mut bytes)?;
        Ok(bytes)
    }

    /// Text up to the next line feed.
    fn line(&mut self) -> Result<String, Fault> {
        let mut line = Vec::new();
        loop {
            match self.bytes()? {
                [b'\n'] => return Ok(String::from_utf8_lossy(&line).trim().to_owned()),
                _ if line.len() >= MAX_LINE => return Err(self.damaged("a line without an end", self.at)),
                [byte] => line.push(byte),
            }
        }
    }

    /// The next `length` bytes; what is not there is not allocated.
    fn take(&mut self, length: u64) -> Result<Vec<u8>, Fault> {
        if self.at.checked_add(length).is_none_or(|end| end > self.n_bytes) {
            return Err(self.damaged("a string longer than the file", self.at));
        }
        let mut bytes = vec![0; length as usize];
        self.fill(&mut bytes)?;
        Ok(bytes)
    }

    fn string(&mut self, length: u64, is_text: bool) -> Result<(), Fault> {
        let bytes = self.take(length)?;
        self.push(match is_text {
            true => Value::Text(String::from_utf8_lossy(&bytes).into_owned()),
            false => Value::Bytes(bytes),
        });
        Ok(())
    }

    /// A whole number; as bytes where it is too wide, as the legacy format's first one is.
    fn long(&mut self, length: u64) -> Result<(), Fault> {
        let bytes = self.take(length)?;
        if bytes.len() > 8 {
            self.push(Value::Bytes(bytes));
            return Ok(());
        }
        // The highest bit is the sign.
        let sign = if bytes.last().is_some_and(|&last| last >= 0x80) { 0xFF } else { 0 };
        let mut wide = [sign; 8];
        wide[..bytes.len()].copy_from_slice(&bytes);
        self.push(Value::Int(i64::from_le_bytes(wide)));
        Ok(())
    }

    fn push(&mut self, value: Value) {
        self.stack.push(self.values.0.len() as Id);
        self.values.0.push(value);
    }

    /// Pushes something made of values that are there already.
    fn push_copy(&mut self, value: Value) -> Result<(), Fault> {
        let n_bytes = match &value {
            Value::List(items) | Value::Tuple(items) => items.len() * size_of::<Id>(),
            Value::Dict(pairs) => pairs.len() * size_of::<(Id, Id)>(),
            Value::Storage(storage) => storage.key.len(),
            Value::Tensor(layout) => layout.storage.len() + 2 * size_of_val(layout.shape.as_slice()),
            Value::Global(Global::Class(name)) => name.len(),
            _ => 0,
        };
        let left = self.budget.checked_sub(n_bytes as u64);
        self.budget = left.ok_or_else(|| self.damaged("the same values again and again", self.at))?;
        self.push(value);
        Ok(())
    }

    /// Height of the stack that belongs to the container in the making.
    fn floor(&self) -> usize {
        self.marks.last().copied().unwrap_or(0)
    }

    fn top(&self) -> Result<Id, Fault> {
        self.stack.last().copied().filter(|_| self.stack.len() > self.floor()).ok_or_else(|| self.underflow())
    }

    fn pop(&mut self) -> Result<Id, Fault> {
        let top = self.top()?;
        self.stack.pop();
        Ok(top)
    }

    fn pop_mark(&mut self) -> Result<Vec<Id>, Fault> {
        let first = self.marks.pop().ok_or_else(|| self.underflow())?;
        Ok(self.stack.split_off(first))
    }

    fn extend(&mut self, items: &[Id]) -> Result<(), Fault> {
        let top = self.top()?;
        match &mut self.values.0[top as usize] {
            Value::List(list) => list.extend(items),
            // An object of a class that is a list.
            value @ Value::Object(_) => *value = Value::List(items.to_vec()),
            _ => return Err(self.damaged("items for something that is no list", self.at)),
        }
        Ok(())
    }

    fn insert(&mut self, items: &[Id]) -> Result<(), Fault> {
        let top = self.top()?;
        match &mut self.values.0[top as usize] {
            Value::Dict(dict) => dict.extend(pairs(items)),
            // An object of a class that is a dictionary.
            value @ Value::Object(_) => *value = Value::Dict(pairs(items)),
            Value::Other => {}
            _ => return Err(self.damaged("items for something that is no dictionary", self.at)),
        }
        Ok(())
    }

    fn memory(&mut self, slot: u64, store: bool) -> Result<(), Fault> {
        if store {
            let top = self.top()?;
            self.memo.insert(slot, top);
            return Ok(());
        }
        let id = *self.memo.get(&slot).ok_or_else(|| self.damaged("an empty memory cell", self.at))?;
        self.stack.push(id);
        Ok(())
    }

    fn global(&mut self, module: &str, name: &str, place: u64) -> Result<(), Fault> {
        let global = Global::named(module, name).map_err(|fault| at(fault, place))?;
        self.push(Value::Global(global));
        Ok(())
    }
}

fn pairs(items: &[Id]) -> Vec<(Id, Id)> {
    items.chunks_exact(2).map(|pair| (pair[0], pair[1])).collect()
}

fn at(fault: Fault, place: u64) -> Fault {
    match fault {
        Fault::Refused(what) => Fault::Refused(format!("{what} at byte {place}")),
        Fault::Damaged(what) => Fault::Damaged(format!("{what} at byte {place}")),
        io => io,
    }
}

/// The type of a storage's elements by the name of its class, `FloatStorage` say.
pub(super) fn storage_type(name: &str) -> Option<DType> {
    Some(match name {
        "FloatStorage" => DType::F32,
        "DoubleStorage" => DType::F64,
        "HalfStorage" => DType::F16,
        "BFloat16Storage" => DType::BF16,
        "LongStorage" => DType::I64,
        "IntStorage" => DType::I32,
        "ShortStorage" => DType::I16,
        "CharStorage" => DType::I8,
        "ByteStorage" => DType::U8,
        "BoolStorage" => DType::Bool(BoolStore::Native),
        _ => return None,
    })
}
