//! The stack machine of the format.

use std::collections::HashMap;
use std::io::{BufRead, Read, Seek, SeekFrom};
use std::num::IntErrorKind;

use crate::{Budget, Bytes, Dialect, Fault, Id, Value, Values};

/// More values than any file has; each takes tens of bytes.
const MAX_VALUES: usize = 1 << 24;
/// Bytes of at least this length stay in the file until they are needed.
const LARGE: u64 = 64 * 1024;
/// Lines of the opcodes that are text.
const MAX_LINE: usize = 1 << 20;

/// Runs the pickle that begins where `file` stands and leaves `file` behind it; all values, and which of them is the
/// result.
///
/// `n_bytes` is the length of the file. Places in faults and of bytes left in the file are counted from its start.
pub fn run<T: Dialect>(file: &mut (impl BufRead + Seek), n_bytes: u64) -> Result<(Values<T>, Id), Fault> {
    let at = file.stream_position()?;
    let mut machine = Machine {
        file,
        n_bytes,
        at,
        values: Values(Vec::new()),
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

struct Machine<'a, T, R> {
    file: &'a mut R,
    n_bytes: u64,
    /// Place of the next byte.
    at: u64,
    values: Values<T>,
    stack: Vec<Id>,
    /// Heights of the stack where containers begin.
    marks: Vec<usize>,
    memo: HashMap<u64, Id>,
    budget: Budget,
}

impl<T: Dialect, R: BufRead + Seek> Machine<'_, T, R> {
    /// Does one opcode; the result at the end.
    fn step(&mut self) -> Result<Option<Id>, Fault> {
        let place = self.at;
        if self.values.0.len().max(self.stack.len()).max(self.memo.len()).max(self.marks.len()) >= MAX_VALUES {
            return Err(self.damaged(&format!("more than {MAX_VALUES} values"), place));
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
            b'N' => self.push(Value::None),
            0x88 | 0x89 => self.push(Value::Bool(opcode == 0x88)),
            b'J' => {
                let number = i32::from_le_bytes(self.bytes()?);
                self.push(Value::Int(number.into()));
            }
            b'K' => self.number::<1>().map(|number| self.push(Value::Int(number as i64)))?,
            b'M' => self.number::<2>().map(|number| self.push(Value::Int(number as i64)))?,
            b'I' | b'L' => {
                let line = self.line()?;
                let value = match line.trim_end_matches('L') {
                    "00" if opcode == b'I' => Value::Bool(false),
                    "01" if opcode == b'I' => Value::Bool(true),
                    digits => match digits.parse::<i64>().map_err(|error| *error.kind()) {
                        Ok(number) => Value::Int(number),
                        Err(IntErrorKind::PosOverflow | IntErrorKind::NegOverflow) => Value::None,
                        Err(_) => return Err(self.damaged("no whole number", place)),
                    },
                };
                self.push(value);
            }
            0x8A => self.number::<1>().and_then(|length| self.long(length))?,
            0x8B => self.number::<4>().and_then(|length| self.long(length))?,
            b'F' => {
                let number = self.line()?.parse().map_err(|_| self.damaged("no number", place))?;
                self.push(Value::Float(number));
            }
            b'G' => self.bytes().map(|bytes| self.push(Value::Float(f64::from_be_bytes(bytes))))?,
            b'S' | b'V' => {
                let line = self.line()?;
                let text = line.trim_matches(['\'', '"']);
                // Escapes would need Python's rules; names of arrays have none.
                if text.contains('\\') {
                    return Err(Fault::Refused(format!(
                        "a text with escapes at byte {place}; pickle with protocol 2 or later"
                    )));
                }
                self.push(Value::Text(text.to_owned()));
            }
            b'U' | b'C' | 0x8C => self.number::<1>().and_then(|length| self.string(length, opcode == 0x8C))?,
            b'T' | b'B' | b'X' => self.number::<4>().and_then(|length| self.string(length, opcode == b'X'))?,
            0x8D | 0x8E | 0x96 => self.number::<8>().and_then(|length| self.string(length, opcode == 0x8D))?,
            b']' | 0x8F => self.push(Value::List(Vec::new())),
            b'}' => self.push(Value::Dict(Vec::new())),
            b')' => self.push(Value::Tuple(Vec::new())),
            b'l' | 0x91 => self.pop_mark().map(|items| self.push(Value::List(items)))?,
            b't' => self.pop_mark().map(|items| self.push(Value::Tuple(items)))?,
            b'd' => self.pop_mark().map(|items| self.push(Value::Dict(pairs(&items))))?,
            0x85..=0x87 => {
                let first = self.stack.len().checked_sub(usize::from(opcode - 0x84));
                let first = first.filter(|&first| first >= self.floor()).ok_or_else(|| self.underflow())?;
                let items = self.stack.split_off(first);
                self.push(Value::Tuple(items));
            }
            b'a' => self.pop().and_then(|item| self.extend(&[item], place))?,
            b'e' | 0x90 => self.pop_mark().and_then(|items| self.extend(&items, place))?,
            b's' => {
                let (value, key) = (self.pop()?, self.pop()?);
                self.insert(&[key, value], place)?;
            }
            b'u' => self.pop_mark().and_then(|items| self.insert(&items, place))?,
            b'p' | b'g' => {
                let slot = self.line()?.parse().map_err(|_| self.damaged("no number of a memory cell", place))?;
                self.memory(slot, opcode == b'p')?;
            }
            b'q' | b'h' => self.number::<1>().and_then(|slot| self.memory(slot, opcode == b'q'))?,
            b'r' | b'j' => self.number::<4>().and_then(|slot| self.memory(slot, opcode == b'r'))?,
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
                let (module, name) = (module.into_owned(), name.into_owned());
                self.global(&module, &name, place)?;
            }
            b'Q' => {
                let id = self.pop()?;
                let value = T::persistent(id, &self.values).map_err(|fault| at(fault, place))?;
                self.push_made(value)?;
            }
            b'R' => {
                let (arguments, function) = (self.pop()?, self.pop()?);
                let (Value::Own(function), Value::Tuple(arguments)) =
                    (self.values.get(function), self.values.get(arguments))
                else {
                    return Err(Fault::Refused(format!("a call of something that has no name at byte {place}")));
                };
                let value = function.call(arguments, &self.values, &mut |bytes| read(self.file, bytes));
                self.push_made(value.map_err(|fault| at(fault, place))?)?;
            }
            0x81 | 0x92 => {
                self.pop()?;
                if opcode == 0x92 {
                    self.pop()?;
                }
                let class = self.pop()?;
                let object = self.values.own(class).and_then(T::object);
                let object = object.ok_or_else(|| refused(opcode, ", an object without a class", place))?;
                self.push(object);
            }
            b'b' => {
                let (state, object) = (self.pop()?, self.top()?);
                let made = T::build(self.values.get(object), state, &self.values, &mut |bytes| read(self.file, bytes));
                if let Some(made) = made.map_err(|fault| at(fault, place))? {
                    self.budget.spend(n_bytes(&made))?;
                    self.values.0[object as usize] = made;
                }
            }
            b'i' => {
                let (module, name) = (self.line()?, self.line()?);
                return Err(refused(opcode, &format!(", a call of {module}.{name}"), place));
            }
            _ => return Err(refused(opcode, "", place)),
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

    /// A whole number of `N` bytes, at most eight, without a sign.
    fn number<const N: usize>(&mut self) -> Result<u64, Fault> {
        let bytes: [u8; N] = self.bytes()?;
        Ok(bytes.iter().rev().fold(0, |number, &byte| number << 8 | u64::from(byte)))
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

    /// Where the next `length` bytes end; what is not there is not allocated.
    fn end(&self, length: u64) -> Result<u64, Fault> {
        let end = self.at.checked_add(length).filter(|&end| end <= self.n_bytes);
        end.ok_or_else(|| self.damaged("a string longer than the file", self.at))
    }

    fn take(&mut self, length: u64) -> Result<Vec<u8>, Fault> {
        self.end(length)?;
        let mut bytes = vec![0; length as usize];
        self.fill(&mut bytes)?;
        Ok(bytes)
    }

    /// Pushes the next `length` bytes, as a text or as bytes; those that are many stay where they are.
    fn string(&mut self, length: u64, is_text: bool) -> Result<(), Fault> {
        let value = if is_text {
            Value::Text(String::from_utf8_lossy(&self.take(length)?).into_owned())
        } else if length < LARGE {
            Value::Bytes(Bytes::Here(self.take(length)?.into()))
        } else {
            let end = self.end(length)?;
            self.file.seek(SeekFrom::Start(end))?;
            let start = std::mem::replace(&mut self.at, end);
            Value::Bytes(Bytes::InFile(start, length))
        };
        self.push(value);
        Ok(())
    }

    /// Pushes a whole number of `length` bytes.
    fn long(&mut self, length: u64) -> Result<(), Fault> {
        let bytes = self.take(length)?;
        if bytes.len() > 8 {
            self.push(Value::None);
            return Ok(());
        }
        // The highest bit is the sign.
        let sign = if bytes.last().is_some_and(|&last| last >= 0x80) { 0xFF } else { 0 };
        let mut wide = [sign; 8];
        wide[..bytes.len()].copy_from_slice(&bytes);
        self.push(Value::Int(i64::from_le_bytes(wide)));
        Ok(())
    }

    fn push(&mut self, value: Value<T>) {
        self.stack.push(self.values.0.len() as Id);
        self.values.0.push(value);
    }

    /// Pushes something made of values that are there already.
    fn push_made(&mut self, value: Value<T>) -> Result<(), Fault> {
        self.budget.spend(n_bytes(&value))?;
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

    fn extend(&mut self, items: &[Id], place: u64) -> Result<(), Fault> {
        let top = self.top()?;
        match &mut self.values.0[top as usize] {
            Value::List(list) => list.extend(items),
            Value::Own(own) if own.may_hold_items() => self.values.0[top as usize] = Value::List(items.to_vec()),
            _ => return Err(self.damaged("items for something that is no list", place)),
        }
        Ok(())
    }

    fn insert(&mut self, items: &[Id], place: u64) -> Result<(), Fault> {
        let top = self.top()?;
        match &mut self.values.0[top as usize] {
            Value::Dict(dict) => dict.extend(pairs(items)),
            Value::Own(own) if own.may_hold_items() => self.values.0[top as usize] = Value::Dict(pairs(items)),
            _ => return Err(self.damaged("items for something that is no dictionary", place)),
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
        let global = T::global(module, name).map_err(|fault| at(fault, place))?;
        self.push_made(Value::own(global))
    }
}

/// Bytes that were left in the file, without losing the place.
fn read(file: &mut (impl Read + Seek), bytes: &Bytes) -> Result<Vec<u8>, Fault> {
    match bytes {
        Bytes::Here(bytes) => Ok(bytes.to_vec()),
        Bytes::InFile(start, length) => {
            let place = file.stream_position()?;
            file.seek(SeekFrom::Start(*start))?;
            let mut content = vec![0; *length as usize];
            file.read_exact(&mut content)?;
            file.seek(SeekFrom::Start(place))?;
            Ok(content)
        }
    }
}

/// Memory that a value takes beyond what the file was read into.
fn n_bytes<T: Dialect>(value: &Value<T>) -> usize {
    match value {
        Value::Text(text) => text.len(),
        Value::Bytes(Bytes::Here(bytes)) => bytes.len(),
        Value::List(items) | Value::Tuple(items) => items.len() * size_of::<Id>(),
        Value::Dict(pairs) => pairs.len() * size_of::<(Id, Id)>(),
        Value::Own(own) => own.n_bytes(),
        _ => 0,
    }
}

fn pairs(items: &[Id]) -> Vec<(Id, Id)> {
    items.chunks_exact(2).map(|pair| (pair[0], pair[1])).collect()
}

/// The fault with its place.
fn at(fault: Fault, place: u64) -> Fault {
    match fault {
        Fault::Refused(what) => Fault::Refused(format!("{what} at byte {place}")),
        Fault::Damaged(what) => Fault::Damaged(format!("{what} at byte {place}")),
        other => other,
    }
}

/// An opcode that is refused, and what it would do.
fn refused(opcode: u8, what: &str, place: u64) -> Fault {
    let name = match opcode {
        b'P' => "PERSID",
        b'i' => "INST",
        b'o' => "OBJ",
        0x81 => "NEWOBJ",
        0x92 => "NEWOBJ_EX",
        0x82 => "EXT1",
        0x83 => "EXT2",
        0x84 => "EXT4",
        0x97 => "NEXT_BUFFER",
        _ => "unknown",
    };
    Fault::Refused(format!("the opcode {name} (0x{opcode:02x}) at byte {place}{what}"))
}
