//! Small media files for tests.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use ffmpeg_next as ffmpeg;

use crate::Image;
use crate::encode::{Recording, write_mp4};

/// A 16 × 16 clip of 25 frames a second whose brightness rises with time, with a tone at 16 kHz.
pub(crate) fn mp4(dir: &Path, n_frames: usize, n_samples: usize) -> PathBuf {
    let path = dir.join(format!("clip-{n_frames}-{n_samples}.mp4"));
    let grey = |frame_idx: usize| (30 + frame_idx * 190 / n_frames) as u8;
    let frames: Vec<Image> = (0..n_frames)
        .map(|frame_idx| Image { width_px: 16, height_px: 16, rgb: vec![grey(frame_idx); 16 * 16 * 3] })
        .collect();
    let samples = tone(n_samples, 16000);
    write_mp4(
        &path,
        &Recording { frames: &frames, frame_rate_hz: 25, samples: &samples, sample_rate_hz: 16000, n_b_frames: 0 },
    )
    .unwrap();
    path
}

/// A tone of 500 Hz at half the full scale.
pub(crate) fn tone(n_samples: usize, rate_hz: u32) -> Vec<f32> {
    let step = std::f32::consts::TAU * 500.0 / rate_hz as f32;
    (0..n_samples).map(|i| 0.5 * (step * i as f32).sin()).collect()
}

/// Uncompressed 8-bit video without chroma; `luma(frame_idx, x, y)`.
pub(crate) fn y4m(
    path: &Path,
    (width, height): (usize, usize),
    n_frames: usize,
    luma: impl Fn(usize, usize, usize) -> u8,
) {
    let mut file = std::fs::File::create(path).unwrap();
    writeln!(file, "YUV4MPEG2 W{width} H{height} F25:1 Ip A1:1 Cmono").unwrap();
    for frame_idx in 0..n_frames {
        file.write_all(b"FRAME\n").unwrap();
        let plane: Vec<u8> =
            (0..height).flat_map(|y| (0..width).map(move |x| (x, y))).map(|(x, y)| luma(frame_idx, x, y)).collect();
        file.write_all(&plane).unwrap();
    }
}

/// A WAV file of 16-bit samples, `[n_samples, n_channels]`; more than two channels are 5.1 in the order of the format.
pub(crate) fn wav(path: &Path, rate_hz: u32, n_channels: u16, samples: &[i16]) {
    let mut bytes = Vec::new();
    let data_len = samples.len() as u32 * 2;
    let masked = n_channels > 2;
    bytes.extend(b"RIFF");
    bytes.extend((if masked { 60 } else { 36 } + data_len).to_le_bytes());
    bytes.extend(b"WAVEfmt ");
    bytes.extend(if masked { 40_u32 } else { 16 }.to_le_bytes());
    bytes.extend(if masked { 0xFFFE_u16 } else { 1 }.to_le_bytes());
    bytes.extend(n_channels.to_le_bytes());
    bytes.extend(rate_hz.to_le_bytes());
    bytes.extend((rate_hz * u32::from(n_channels) * 2).to_le_bytes());
    bytes.extend((n_channels * 2).to_le_bytes());
    bytes.extend(16_u16.to_le_bytes());
    if masked {
        bytes.extend(22_u16.to_le_bytes());
        bytes.extend(16_u16.to_le_bytes());
        bytes.extend(0x3F_u32.to_le_bytes());
        bytes.extend([1, 0, 0, 0, 0, 0, 16, 0, 128, 0, 0, 170, 0, 56, 155, 113]);
    }
    bytes.extend(b"data");
    bytes.extend(data_len.to_le_bytes());
    bytes.extend(samples.iter().flat_map(|sample| sample.to_le_bytes()));
    std::fs::write(path, bytes).unwrap();
}

/// A WAV file of one channel of 32-bit floating-point samples.
pub(crate) fn float_wav(path: &Path, rate_hz: u32, samples: &[f32]) {
    let data: Vec<u8> = samples.iter().flat_map(|sample| sample.to_le_bytes()).collect();
    let n_data = data.len() as u32;
    let format =
        [&3_u16.to_le_bytes()[..], &[1, 0], &rate_hz.to_le_bytes(), &(rate_hz * 4).to_le_bytes(), &[4, 0, 32, 0]];
    let head =
        [b"RIFF", &(n_data + 36).to_le_bytes()[..], b"WAVEfmt ", &16_u32.to_le_bytes(), &format.concat()].concat();
    std::fs::write(path, [&head, &b"data"[..], &n_data.to_le_bytes(), &data].concat()).unwrap();
}

/// A CAF file of one channel of 16-bit samples.
pub(crate) fn caf(path: &Path, rate_hz: u32, samples: &[i16]) {
    let data: Vec<u8> = samples.iter().flat_map(|sample| sample.to_be_bytes()).collect();
    let sizes: Vec<u8> = [0_u32, 2, 1, 1, 16].iter().flat_map(|size| size.to_be_bytes()).collect();
    let format = [b"desc", &32_u64.to_be_bytes()[..], &f64::from(rate_hz).to_be_bytes(), b"lpcm", &sizes].concat();
    // Four bytes before the samples count how often they were edited.
    let n_data = (data.len() as u64 + 4).to_be_bytes();
    std::fs::write(path, [b"caff\0\x01\0\0", &format[..], b"data", &n_data, &[0; 4], &data].concat()).unwrap();
}

/// A file or folder of the shared data beside the workspace; says that a comparison is skipped where it is absent.
#[expect(clippy::print_stderr, reason = "a skipped comparison must be seen")]
pub(crate) fn shared(name: &str) -> Option<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared").join(name);
    if !path.exists() {
        eprintln!("skipped: there is no {}", path.display());
        return None;
    }
    Some(path)
}

/// A VP9 film of 64 × 64, `n_frames` of a texture that moves; `None` where FFmpeg has no libvpx.
pub(crate) fn vp9(path: &Path, n_frames: usize) -> Option<()> {
    use ffmpeg::format::Pixel;
    crate::source::init();
    let codec = ffmpeg::encoder::find_by_name("libvpx-vp9")?;
    let mut setup = ffmpeg::codec::Context::new_with_codec(codec).encoder().video().unwrap();
    setup.set_width(64);
    setup.set_height(64);
    setup.set_format(Pixel::YUV420P);
    setup.set_time_base((1, 25));
    let mut options = ffmpeg::Dictionary::new();
    options.set("deadline", "realtime");
    let mut encoder = setup.open_with(options).unwrap();
    let mut output = ffmpeg::format::output_as(path, "webm").unwrap();
    output.add_stream(codec).unwrap().set_parameters(&encoder);
    output.write_header().unwrap();
    for frame_idx in 0..=n_frames {
        if frame_idx < n_frames {
            let mut frame = ffmpeg::util::frame::Video::new(Pixel::YUV420P, 64, 64);
            let stride = frame.stride(0);
            for (at, value) in frame.data_mut(0).iter_mut().enumerate() {
                let (x, y) = (at % stride + 3 * frame_idx, at / stride);
                *value = ((x * y) % 61 * 3 + frame_idx) as u8;
            }
            (1..3).for_each(|plane| frame.data_mut(plane).fill(128));
            frame.set_pts(Some(frame_idx as i64));
            encoder.send_frame(&frame).unwrap();
        } else {
            encoder.send_eof().unwrap();
        }
        let mut packet = ffmpeg::Packet::empty();
        while encoder.receive_packet(&mut packet).is_ok() {
            packet.rescale_ts((1, 25), output.stream(0).unwrap().time_base());
            packet.write_interleaved(&mut output).unwrap();
        }
    }
    output.write_trailer().unwrap();
    Some(())
}

/// `n_secs` of noise at 16 kHz as FLAC in pages of Ogg, one a second.
pub(crate) fn flac_in_ogg(path: &Path, n_secs: usize) {
    use ffmpeg::util::{channel_layout::ChannelLayout, format::sample};
    crate::source::init();
    let codec = ffmpeg::encoder::find(ffmpeg::codec::Id::FLAC).unwrap();
    let mut setup = ffmpeg::codec::Context::new_with_codec(codec).encoder().audio().unwrap();
    let format = sample::Sample::I16(sample::Type::Packed);
    setup.set_rate(16000);
    setup.set_format(format);
    setup.set_channel_layout(ChannelLayout::MONO);
    setup.set_time_base((1, 16000));
    let mut encoder = setup.open().unwrap();
    let mut output = ffmpeg::format::output_as(path, "ogg").unwrap();
    output.add_stream(codec).unwrap().set_parameters(&encoder);
    output.write_header().unwrap();
    let n_samples = encoder.frame_size() as usize;
    let n_frames = n_secs * 16000 / n_samples;
    let mut noise = 1_u32;
    for frame_idx in 0..=n_frames {
        if frame_idx < n_frames {
            let mut frame = ffmpeg::util::frame::Audio::new(format, n_samples, ChannelLayout::MONO);
            frame.set_rate(16000);
            frame.set_pts(Some((frame_idx * n_samples) as i64));
            for value in frame.plane_mut::<i16>(0) {
                noise = noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                *value = (noise >> 20) as i16;
            }
            encoder.send_frame(&frame).unwrap();
        } else {
            encoder.send_eof().unwrap();
        }
        let mut packet = ffmpeg::Packet::empty();
        while encoder.receive_packet(&mut packet).is_ok() {
            packet.set_stream(0);
            packet.rescale_ts((1, 16000), output.stream(0).unwrap().time_base());
            packet.write_interleaved(&mut output).unwrap();
        }
    }
    output.write_trailer().unwrap();
}

/// The tracks of `files`, whose codecs carry no tag of MP4's, and one of subtitles for each language and its only line.
pub(crate) fn mkv(files: &[&Path], subtitles: &[(&str, &str)], path: &Path) {
    mux(files, subtitles, "matroska", path);
}

/// The tracks of `files` as AVI.
pub(crate) fn avi(files: &[&Path], path: &Path) {
    mux(files, &[], "avi", path);
}

/// The tracks of `files` as IVF.
pub(crate) fn ivf(files: &[&Path], path: &Path) {
    mux(files, &[], "ivf", path);
}

fn mux(files: &[&Path], subtitles: &[(&str, &str)], format: &str, path: &Path) {
    crate::source::init();
    let mut inputs: Vec<_> = files.iter().map(|file| ffmpeg::format::input(file).unwrap()).collect();
    for (language, line) in subtitles {
        let srt = path.with_extension(format!("{language}.subtitle"));
        std::fs::write(&srt, format!("1\n00:00:00,000 --> 00:00:01,000\n{line}\n\n")).unwrap();
        inputs.push(ffmpeg::format::input(&srt).unwrap());
    }
    let mut output = ffmpeg::format::output_as(path, format).unwrap();
    for (input_idx, input) in inputs.iter().enumerate() {
        for stream in input.streams() {
            let mut copy = output.add_stream(ffmpeg::codec::Id::None).unwrap();
            copy.set_parameters(stream.parameters());
            copy.set_time_base(stream.time_base());
            if let Some((language, _)) = input_idx.checked_sub(files.len()).map(|idx| subtitles[idx]) {
                let mut metadata = ffmpeg::Dictionary::new();
                metadata.set("language", language);
                copy.set_metadata(metadata);
            }
        }
    }
    output.write_header().unwrap();
    let mut first_idx = 0;
    for input in &mut inputs {
        let n_streams = input.nb_streams() as usize;
        let time_bases: Vec<_> = input.streams().map(|stream| stream.time_base()).collect();
        for (stream, mut packet) in input.packets() {
            let to = first_idx + stream.index();
            packet.rescale_ts(time_bases[stream.index()], output.stream(to).unwrap().time_base());
            packet.set_stream(to);
            packet.write_interleaved(&mut output).unwrap();
        }
        first_idx += n_streams;
    }
    output.write_trailer().unwrap();
}
