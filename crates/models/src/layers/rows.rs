//! Rows of a batch: a part of it has a row for each clip that has what the part is made of, and names these clips.

use burn::tensor::{Int, Tensor, TensorData};

/// Rows of `x`, which are of the clips `from`, for the clips `to`; zero for a clip that is not there.
pub(crate) fn rows_for<const D: usize>(x: Tensor<D>, from: &[usize], to: &[usize]) -> Tensor<D> {
    let mut shape = x.dims();
    shape[0] = 1;
    let zero = Tensor::zeros(shape, &x.device());
    rows_or(x, from, to, zero)
}

/// The same with `filler`, a single row, for a clip that is not there.
pub(crate) fn rows_or<const D: usize>(x: Tensor<D>, from: &[usize], to: &[usize], filler: Tensor<D>) -> Tensor<D> {
    if from == to {
        return x;
    }
    let place = |clip: &usize| from.iter().position(|other| other == clip).unwrap_or(from.len()) as i64;
    let places: Vec<i64> = to.iter().map(place).collect();
    let places = Tensor::<1, Int>::from_data(TensorData::new(places, [to.len()]), &x.device());
    Tensor::cat(vec![x, filler], 0).select(0, places)
}

/// All clips of a batch of `n`, in order.
pub(crate) fn all(n: usize) -> Vec<usize> {
    (0..n).collect()
}

#[cfg(test)]
mod tests {
    use burn::tensor::Device;

    use super::*;

    #[test]
    fn rows_go_to_their_clips_and_what_is_absent_is_filled() {
        let device = Device::flex();
        let x = Tensor::<2>::from_floats([[1.0], [2.0]], &device);
        let values = |x: Tensor<2>| x.try_into_vec_as::<f32>().unwrap();
        assert_eq!(values(rows_for(x.clone(), &[0, 3], &[0, 1, 3])), [1.0, 0.0, 2.0]);
        assert_eq!(values(rows_for(x.clone(), &[2, 5], &[5])), [2.0]);
        assert_eq!(values(rows_for(x.clone(), &[1, 0], &all(2))), [2.0, 1.0]);
        let filler = Tensor::<2>::from_floats([[7.0]], &device);
        assert_eq!(values(rows_or(x, &[0, 2], &all(3), filler)), [1.0, 7.0, 2.0]);
    }
}
