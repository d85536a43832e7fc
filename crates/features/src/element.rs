//! Types of numbers in files, and how they become `f32`.

/// The type of an array's numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Element {
    /// One byte, 0 or 1.
    Bool,
    /// Signed integer.
    Int {
        /// Bytes: 1, 2, 4 or 8.
        n_bytes: usize,
    },
    /// Unsigned integer.
    Uint {
        /// Bytes: 1, 2, 4 or 8.
        n_bytes: usize,
    },
    /// IEEE floating point.
    Float {
        /// Bytes: 2, 4 or 8.
        n_bytes: usize,
    },
    /// The upper half of a 32-bit float.
    Bfloat16,
}

impl Element {
    /// By numpy's letter and size, as in `f4`; `None` for other types.
    pub fn from_numpy(code: &str) -> Option<Self> {
        let n_bytes = code.get(1..)?.parse().ok()?;
        match (code.as_bytes().first()?, n_bytes) {
            (b'b', 1) => Some(Self::Bool),
            (b'i', 1 | 2 | 4 | 8) => Some(Self::Int { n_bytes }),
            (b'u', 1 | 2 | 4 | 8) => Some(Self::Uint { n_bytes }),
            (b'f', 2 | 4 | 8) => Some(Self::Float { n_bytes }),
            _ => None,
        }
    }

    /// Bytes of one number.
    pub fn n_bytes(self) -> usize {
        match self {
            Self::Bool => 1,
            Self::Bfloat16 => 2,
            Self::Int { n_bytes } | Self::Uint { n_bytes } | Self::Float { n_bytes } => n_bytes,
        }
    }

    /// Bytes of an array of `shape`; `None` where no memory could hold them.
    pub fn n_bytes_of(self, shape: &[usize]) -> Option<u64> {
        shape.iter().try_fold(self.n_bytes() as u64, |n, &side| n.checked_mul(side as u64))
    }

    /// The number in `bytes`, of which there are [`Self::n_bytes`].
    pub(crate) fn value(self, bytes: &[u8], big_endian: bool) -> f32 {
        let mut wide = [0; 8];
        for (at, &byte) in bytes.iter().enumerate() {
            wide[if big_endian { bytes.len() - 1 - at } else { at }] = byte;
        }
        let bits = u64::from_le_bytes(wide);
        match self {
            Self::Bool => f32::from(bits != 0),
            Self::Uint { .. } => bits as f32,
            Self::Int { n_bytes } => {
                let unused = 64 - 8 * n_bytes as u32;
                ((bits << unused) as i64 >> unused) as f32
            }
            Self::Float { n_bytes: 2 } => half(bits as u16),
            Self::Float { n_bytes: 4 } => f32::from_bits(bits as u32),
            Self::Float { .. } => f64::from_bits(bits) as f32,
            Self::Bfloat16 => f32::from_bits((bits as u32) << 16),
        }
    }
}

/// IEEE half precision.
fn half(bits: u16) -> f32 {
    let sign = if bits >> 15 == 1 { -1.0 } else { 1.0 };
    let (exponent, fraction) = (i32::from(bits >> 10 & 0x1F), f32::from(bits & 0x3FF) / 1024.0);
    sign * match exponent {
        0 => fraction * 2.0_f32.powi(-14),
        0x1F if fraction == 0.0 => f32::INFINITY,
        0x1F => f32::NAN,
        _ => (1.0 + fraction) * 2.0_f32.powi(exponent - 15),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_types_become_floats() {
        let value = |code: &str, bytes: &[u8], big| Element::from_numpy(code).unwrap().value(bytes, big);
        assert_eq!(value("f4", &1.5_f32.to_le_bytes(), false), 1.5);
        assert_eq!(value("f8", &(-0.25_f64).to_be_bytes(), true), -0.25);
        assert_eq!(value("i2", &(-3_i16).to_be_bytes(), true), -3.0);
        assert_eq!(value("i8", &(-3_i64).to_le_bytes(), false), -3.0);
        assert_eq!(value("u1", &[200], false), 200.0);
        assert_eq!(value("b1", &[1], false), 1.0);
        // Halves as numpy writes them: 1, -2, 65504, the smallest of all, infinity.
        for (bits, expected) in
            [(0x3C00_u16, 1.0), (0xC000, -2.0), (0x7BFF, 65504.0), (1, 2.0_f32.powi(-24)), (0x7C00, f32::INFINITY)]
        {
            assert_eq!(value("f2", &bits.to_le_bytes(), false), expected);
        }
        assert!(value("f2", &0x7E00_u16.to_le_bytes(), false).is_nan());
        assert_eq!(Element::Bfloat16.value(&[0xC0, 0x3F], false), 1.5);
        assert_eq!(Element::from_numpy("c8"), None);
        assert_eq!(Element::from_numpy("f16"), None);
    }
}
