//! The stack machine of the pickle format, without its calls.

use std::borrow::Cow;
use std::collections::HashMap;
use std::io::{Read, Seek, SeekFrom};
use std::sync::Arc;

use super::numpy;
use crate::store::{Budget, Bytes, Fault, Layout, Texts};

/// Position of a value among all values.
pub(super) type Id = u32;

/// More values than any file of features has; each takes tens of bytes.
const MAX_VALUES: usize = 1 << 24;
/// Strings of at least this length stay in the file until they are needed.
const LARGE: u64 = 64 * 1024;
/// Lines of the opcodes that are text.
const MAX_LINE: usize = 1 << 20;

/// A value of the pickle.
#[derive(Debug, Clone)]
pub(super) enum Value {
    None,
    Bool(bool),
    Int(i64),
    Float(f64),
    Text(String),
    Bytes(Bytes),
    List(Vec<Id>),
    Tuple(Vec<Id>),
    Dict(Vec<(Id, Id)>),
    /// A name that numpy's arrays are made with.
    Global(numpy::Global),
    Dtype(numpy::Dtype),
    /// An array whose content comes later.
    Unfilled,
    Array(Layout),
    /// An array of fixed-length strings.
    Texts(Arc<Texts>),
    /// An array of Python's objects.
    Objects {
        shape: Vec<usize>,
        items: Vec<Id>,
    },
}

/// All values.
#[derive(Debug, Default)]
pub(super) struct Values(Vec<Value>);

impl Values {
    pub fn get(&self, id: Id) -> &Value {
        &self.0[id as usize]
    }

    /// A text, or bytes that are one: Python 2 knew no difference.
    pub fn text(&self, id: Id) -> Option<Cow<'_, str>> {
        match self.get(id) {
            Value::Text(text) => Some(text.into()),
            Value::Bytes(Bytes::Here(bytes)) => Some(String::from_utf8_lossy(bytes)),
            Value::Texts(texts) if texts.shape.is_empty() => texts.values.first().map(Into::into),
            _ => None,
        }
    }

    pub fn number(&self, id: Id) -> Option<f64> {
        match self.get(id) {
            Value::Int(number) => Some(*number as f64),
            Value::Float(number) => Some(*number),
            Value::Bool(flag) => Some(f64::from(u8::from(*flag))),
            Value::Array(Layout { element, big_endian, shape, bytes: Bytes::Here(bytes), .. }) if shape.is_empty() => {
                Some(f64::from(element.value(bytes, *big_endian)))
            }
            _ => None,
        }
    }
}

/// Runs to the end; all values, and which of them is the result.
pub(super) fn run(file: &mut (impl Read + Seek), n_bytes: u64) -> Result<(Values, Id), Fault> {
    let mut machine = Machine {
        file: std::io::BufReader::new(file),
        n_bytes,
        at: 0,
        values: Values::default(),
        stack: Vec::new(),
        marks: Vec::new(),
        memo: HashMap::new(),
        budget: Budget::of(n_bytes),
    };
    loop {
        if let Some(result) = machine.step()? {
            return Ok((machine.values, result));
        }
    }
}

struct Machine<R: Read + Seek> {
    file: std::io::BufReader<R>,
    n_bytes: u64,
    /// Bytes read so far.
    at: u64,
    values: Values,
    stack: Vec<Id>,
    /// Heights of the stack where containers begin.
    marks: Vec<usize>,
    memo: HashMap<u64, Id>,
    budget: Budget,
}

impl<R: Read + Seek> Machine<R> {
    /// Does one opcode; the result at the end.
    fn step(&mut self) -> Result<Option<Id>, Fault> {
        let place = self.at;
        if self.values.0.len().max(self.stack.len()).max(self.memo.len()).max(self.marks.len()) >= MAX_VALUES {
            return Err(Fault::Refused(format!("more than {MAX_VALUES} values by byte {place}")));
        }
        let [opcode] = self.bytes()?;
        match opcode {
            b'.' => return self.pop().map(Some),
            // Protocol and frames say nothing that is needed.
            0x80 => drop(self.bytes::<1>()?),
            0x95 => drop(self.bytes::<8>()?),
            // A buffer that may not be written to is as good.
            0x98 => {}
            b'(' => self.marks.push(self.stack.len()),
            b'0' => drop(self.pop()?),
            b'1' => drop(self.pop_mark()?),
            b'2' => {
                let top = self.top()?;
                self.stack.push(top);
            }
            b'N' => self.push(Value::None)?,
            0x88 => self.push(Value::Bool(true))?,
            0x89 => self.push(Value::Bool(false))?,
            b'J' => {
                let number = i32::from_le_bytes(self.bytes()?);
                self.push(Value::Int(number.into()))?;
            }
            b'K' => {
                let [number] = self.bytes()?;
                self.push(Value::Int(number.into()))?;
            }
            b'M' => {
                let number = u16::from_le_bytes(self.bytes()?);
                self.push(Value::Int(number.into()))?;
            }
            b'I' | b'L' => {
                let line = self.line()?;
                let value = match line.trim_end_matches('L') {
                    "00" => Value::Bool(false),
                    "01" => Value::Bool(true),
                    digits => Value::Int(digits.parse().map_err(|_| self.damaged("no whole number", place))?),
                };
                self.push(value)?;
            }
            0x8A => {
                let [length] = self.bytes()?;
                let mut wide = [0; 8];
                let length = usize::from(length);
                if length > 8 {
                    return Err(self.damaged("a whole number of more than 64 bits", place));
                }
                self.fill(&mut wide[..length])?;
                // The highest bit is the sign.
                if length > 0 && wide[length - 1] >= 0x80 {
                    wide[length..].fill(0xFF);
                }
                self.push(Value::Int(i64::from_le_bytes(wide)))?;
            }
            b'F' => {
                let number = self.line()?.parse().map_err(|_| self.damaged("no number", place))?;
                self.push(Value::Float(number))?;
            }
            b'G' => {
                let number = f64::from_be_bytes(self.bytes()?);
                self.push(Value::Float(number))?;
            }
            b'S' | b'V' => {
                let line = self.line()?;
                let text = line.trim_matches(['\'', '"']);
                // Escapes would need Python's rules; names of arrays have none.
                if text.contains('\\') {
                    return Err(Fault::Refused(format!(
                        "a text with escapes at byte {place}; pickle with protocol 2 or later"
                    )));
                }
                self.push(Value::Text(text.to_owned()))?;
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
            b']' => self.push(Value::List(Vec::new()))?,
            b'}' => self.push(Value::Dict(Vec::new()))?,
            b')' => self.push(Value::Tuple(Vec::new()))?,
            b'l' => {
                let items = self.pop_mark()?;
                self.push(Value::List(items))?;
            }
            b't' => {
                let items = self.pop_mark()?;
                self.push(Value::Tuple(items))?;
            }
            0x85..=0x87 => {
                let first = self.stack.len().checked_sub(usize::from(opcode - 0x84));
                let first = first.filter(|&first| first >= self.floor()).ok_or_else(|| self.underflow())?;
                let items = self.stack.split_off(first);
                self.push(Value::Tuple(items))?;
            }
            b'd' => {
                let items = self.pop_mark()?;
                self.push(Value::Dict(pairs(&items)))?;
            }
            b'a' => {
                let item = self.pop()?;
                self.extend(&[item], place)?;
            }
            b'e' => {
                let items = self.pop_mark()?;
                self.extend(&items, place)?;
            }
            b's' => {
                let (value, key) = (self.pop()?, self.pop()?);
                self.insert(&[key, value], place)?;
            }
            b'u' => {
                let items = self.pop_mark()?;
                self.insert(&items, place)?;
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
                    return Err(Fault::Refused(format!("a name that is no text at byte {place}")));
                };
                let (module, name) = (module.into_owned(), name.into_owned());
                self.global(&module, &name, place)?;
            }
            b'R' => {
                let (arguments, function) = (self.pop()?, self.pop()?);
                let (Value::Global(function), Value::Tuple(arguments)) =
                    (self.values.get(function), self.values.get(arguments))
                else {
                    return Err(Fault::Refused(format!("a call of something that has no name at byte {place}")));
                };
                let value = numpy::call(*function, arguments, &self.values, &mut |bytes| read(&mut self.file, bytes))
                    .map_err(|fault| at(fault, place))?;
                self.budget.spend(cost(&value))?;
                self.push(value)?;
            }
            b'b' => {
                let (state, object) = (self.pop()?, self.top()?);
                let value = numpy::build(self.values.get(object), state, &self.values, &mut |bytes| {
                    read(&mut self.file, bytes)
                })
                .map_err(|fault| at(fault, place))?;
                self.budget.spend(cost(&value))?;
                self.values.0[object as usize] = value;
            }
            _ => {
                let name = NAMES.iter().find(|(own, _)| *own == opcode).map_or("unknown", |(_, name)| name);
                return Err(Fault::Refused(format!("the opcode {name} (0x{opcode:02x}) at byte {place}")));
            }
        }
        Ok(None)
    }

    fn damaged(&self, what: &str, place: u64) -> Fault {
        Fault::Damaged(format!("{what} at byte {place}"))
    }

    fn underflow(&self) -> Fault {
        self.damaged("a value is missing", self.at)
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

    /// Pushes the next `length` bytes, as a text or as bytes; those that are many stay where they are.
    fn string(&mut self, length: u64, is_text: bool) -> Result<(), Fault> {
        if self.at.checked_add(length).is_none_or(|end| end > self.n_bytes) {
            return Err(self.damaged("a string longer than the file", self.at));
        }
        if length >= LARGE && !is_text {
            self.file.seek(SeekFrom::Start(self.at + length))?;
            self.at += length;
            return self.push(Value::Bytes(Bytes::InFile(self.at - length, length)));
        }
        let mut bytes = vec![0; length as usize];
        self.fill(&mut bytes)?;
        self.push(match is_text {
            true => Value::Text(String::from_utf8_lossy(&bytes).into_owned()),
            false => Value::Bytes(Bytes::Here(bytes.into())),
        })
    }

    fn push(&mut self, value: Value) -> Result<(), Fault> {
        self.stack.push(self.values.0.len() as Id);
        self.values.0.push(value);
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

    fn extend(&mut self, items: &[Id], place: u64) -> Result<(), Fault> {
        let top = self.top()?;
        match &mut self.values.0[top as usize] {
            Value::List(list) => list.extend(items),
            _ => return Err(Fault::Refused(format!("items for something that is no list at byte {place}"))),
        }
        Ok(())
    }

    fn insert(&mut self, items: &[Id], place: u64) -> Result<(), Fault> {
        let top = self.top()?;
        match &mut self.values.0[top as usize] {
            Value::Dict(dict) => dict.extend(pairs(items)),
            _ => return Err(Fault::Refused(format!("items for something that is no dictionary at byte {place}"))),
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
        match numpy::Global::named(module, name) {
            Some(global) => self.push(Value::Global(global)),
            None => Err(Fault::Refused(format!("the global {module}.{name} at byte {place}"))),
        }
    }
}

/// Bytes that were left in the file, without losing the place.
fn read(file: &mut (impl Read + Seek), bytes: &Bytes) -> Result<Vec<u8>, Fault> {
    match bytes {
        Bytes::Here(bytes) => Ok(bytes.to_vec()),
        Bytes::InFile(start, len) => {
            let place = file.stream_position()?;
            file.seek(SeekFrom::Start(*start))?;
            let mut content = vec![0; *len as usize];
            file.read_exact(&mut content)?;
            file.seek(SeekFrom::Start(place))?;
            Ok(content)
        }
    }
}

/// Memory that a value takes beyond what the file was read into.
fn cost(value: &Value) -> usize {
    match value {
        Value::Texts(texts) => texts.values.iter().map(|text| text.len() + size_of::<String>()).sum(),
        Value::Objects { items, .. } => items.len() * size_of::<Id>(),
        Value::Bytes(Bytes::Here(bytes)) => bytes.len(),
        _ => 0,
    }
}

fn pairs(items: &[Id]) -> Vec<(Id, Id)> {
    items.chunks_exact(2).map(|pair| (pair[0], pair[1])).collect()
}

fn at(fault: Fault, place: u64) -> Fault {
    match fault {
        Fault::Refused(what) => Fault::Refused(format!("{what} at byte {place}")),
        Fault::Damaged(what) => Fault::Damaged(format!("{what} at byte {place}")),
        other => other,
    }
}

/// Opcodes that are known and refused.
const NAMES: [(u8, &str); 14] = [
    (b'P', "PERSID"),
    (b'Q', "BINPERSID"),
    (b'i', "INST"),
    (b'o', "OBJ"),
    (0x81, "NEWOBJ"),
    (0x92, "NEWOBJ_EX"),
    (0x82, "EXT1"),
    (0x83, "EXT2"),
    (0x84, "EXT4"),
    (0x8B, "LONG4"),
    (0x8F, "EMPTY_SET"),
    (0x90, "ADDITEMS"),
    (0x91, "FROZENSET"),
    (0x97, "NEXT_BUFFER"),
];
