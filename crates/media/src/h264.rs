//! What a packet of H.264 says of itself.

/// Type of a unit with a slice of a picture before which the decoder forgets all others (H.264, table 7-1).
const IDR_SLICE: u8 = 5;

/// Whether decoding can begin with this packet and goes on as if nothing had been before it. Of the packets that files
/// call key ones, those of open groups of pictures and of moving refreshes are no such: decoders take a while to trust
/// what follows.
pub(crate) fn begins_anew(packet: &[u8]) -> bool {
    let is_idr = |unit: &[u8]| unit.first().is_some_and(|head| head & 0x1F == IDR_SLICE);
    match counted(packet) {
        Some(units) => units.into_iter().any(is_idr),
        None => packet.windows(4).any(|bytes| bytes[..3] == [0, 0, 1] && is_idr(&bytes[3..])),
    }
}

/// The units of a packet as MP4 and Matroska have it, each after its length in four bytes; `None` where they do not
/// fill it, as in streams with start codes.
fn counted(packet: &[u8]) -> Option<Vec<&[u8]>> {
    let (mut units, mut rest) = (Vec::new(), packet);
    while !rest.is_empty() {
        let (len, after) = rest.split_first_chunk()?;
        let (unit, after) = after.split_at_checked(u32::from_be_bytes(*len) as usize)?;
        units.push(unit);
        rest = after;
    }
    Some(units)
}

#[cfg(test)]
mod tests {
    use super::begins_anew;

    #[test]
    fn only_a_whole_refresh_is_a_beginning() {
        // Parameter sets (7, 8), extra information (6), a slice of a refresh (5) and one that is made from others (1).
        let with_lengths =
            |kinds: &[u8]| kinds.iter().flat_map(|kind| [0, 0, 0, 2, 0x60 | kind, 9]).collect::<Vec<u8>>();
        let with_codes = |kinds: &[u8]| kinds.iter().flat_map(|kind| [0, 0, 0, 1, 0x60 | kind, 9]).collect::<Vec<u8>>();
        for packet in [with_lengths, with_codes].map(|packet| packet(&[7, 8, 6, 5, 5])) {
            assert!(begins_anew(&packet), "{packet:?}");
        }
        for packet in [with_lengths, with_codes].map(|packet| packet(&[7, 8, 6, 1])) {
            assert!(!begins_anew(&packet), "{packet:?}");
        }
        // In a unit of 256 bytes the length looks like a start code.
        let mut long = vec![0, 0, 1, 0, 0x65];
        long.resize(260, 9);
        assert!(begins_anew(&long));
        assert!(![&[][..], &[0, 0], &[0, 0, 0, 9, 5], &[5; 40]].into_iter().any(begins_anew));
    }
}
