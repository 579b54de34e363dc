//! H.264 payloads (RFC 6184): which begin a picture that needs no other, and how large it is.

use super::bits::Bits;
use super::{FrameInfo, Size};
use crate::wire::cursor::Cursor;

const SLICE: u8 = 1;
const IDR_SLICE: u8 = 5;
const SPS: u8 = 7;
const ACCESS_UNIT_DELIMITER: u8 = 9;
const STAP_A: u8 = 24;
const FU_A: u8 = 28;
/// Bytes of an SPS that are read: what stands before the size is shorter, scaling lists included.
const MAX_SPS: usize = 512;

/// A keyframe begins with its SPS, alone or in a STAP-A, or with an IDR slice where the SPS is not repeated.
pub(super) fn inspect(payload: &[u8]) -> FrameInfo {
    match payload {
        [header, body @ ..] => match header & 0x1f {
            STAP_A => aggregate(body),
            FU_A => fragment(body),
            kind => unit(kind, body),
        },
        [] => FrameInfo::default(),
    }
}

fn unit(kind: u8, body: &[u8]) -> FrameInfo {
    // first_mb_in_slice is ue(v): zero is a single set bit.
    let first_slice = body.first().is_some_and(|byte| byte & 0x80 != 0);
    FrameInfo {
        keyframe: kind == SPS || kind == IDR_SLICE && first_slice,
        start: match kind {
            SPS | ACCESS_UNIT_DELIMITER => true,
            SLICE | IDR_SLICE => first_slice,
            _ => false,
        },
        size: if kind == SPS { sps_size(body) } else { None },
        ..FrameInfo::default()
    }
}

fn fragment(body: &[u8]) -> FrameInfo {
    match body {
        [header, rest @ ..] if header & 0x80 != 0 => unit(header & 0x1f, rest),
        _ => FrameInfo::default(),
    }
}

fn aggregate(body: &[u8]) -> FrameInfo {
    let mut whole = FrameInfo::default();
    let mut cursor = Cursor::new(body);
    while let Some(unit_bytes) = cursor.u16().and_then(|len| cursor.take(usize::from(len))) {
        if let [header, rest @ ..] = unit_bytes {
            let part = unit(header & 0x1f, rest);
            whole.keyframe |= part.keyframe;
            whole.start |= part.start;
            whole.size = whole.size.or(part.size);
        }
    }
    whole
}

/// The cropped size in a sequence parameter set behind its NAL header (H.264 section 7.3.2.1.1).
pub fn sps_size(body: &[u8]) -> Option<Size> {
    let mut unescaped = [0; MAX_SPS];
    let len = remove_emulation_prevention(body, &mut unescaped);
    let mut bits = Bits::new(&unescaped[..len]);
    let profile = bits.take(8)?;
    bits.skip(16)?; // constraint flags, level
    bits.exp_golomb()?; // seq_parameter_set_id
    let mut chroma_format = 1;
    if has_chroma_fields(profile) {
        chroma_format = bits.exp_golomb()?;
        skip_chroma_fields(&mut bits, chroma_format)?;
    }
    bits.exp_golomb()?; // log2_max_frame_num_minus4
    skip_picture_order(&mut bits)?;
    bits.exp_golomb()?; // max_num_ref_frames
    bits.bit()?; // gaps_in_frame_num_value_allowed_flag
    frame_size(&mut bits, chroma_format)
}

/// 00 00 03 stands for 00 00 (section 7.4.1).
fn remove_emulation_prevention(body: &[u8], out: &mut [u8; MAX_SPS]) -> usize {
    let mut len = 0;
    let mut zeros = 0;
    for &byte in body {
        if len == out.len() {
            break;
        }
        if zeros >= 2 && byte == 3 {
            zeros = 0;
            continue;
        }
        zeros = if byte == 0 { zeros + 1 } else { 0 };
        out[len] = byte;
        len += 1;
    }
    len
}

fn has_chroma_fields(profile: u32) -> bool {
    const PROFILES: [u32; 13] = [100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 139, 134, 135];
    PROFILES.contains(&profile)
}

fn skip_chroma_fields(bits: &mut Bits<'_>, chroma_format: u32) -> Option<()> {
    if chroma_format == 3 {
        bits.bit()?; // separate_colour_plane_flag
    }
    bits.exp_golomb()?; // bit_depth_luma_minus8
    bits.exp_golomb()?; // bit_depth_chroma_minus8
    bits.bit()?; // qpprime_y_zero_transform_bypass_flag
    if bits.bit()? {
        let lists = if chroma_format == 3 { 12 } else { 8 };
        for list in 0..lists {
            if bits.bit()? {
                skip_scaling_list(bits, if list < 6 { 16 } else { 64 })?;
            }
        }
    }
    Some(())
}

fn skip_scaling_list(bits: &mut Bits<'_>, size: u32) -> Option<()> {
    let mut last = 8i64;
    for _ in 0..size {
        // A next scale of zero means: the rest repeats the last one.
        let delta = signed(bits.exp_golomb()?);
        let next = (last + delta).rem_euclid(256);
        if next == 0 {
            return Some(());
        }
        last = next;
    }
    Some(())
}

/// se(v) of a ue(v) (section 9.1.1).
fn signed(code: u32) -> i64 {
    let magnitude = (i64::from(code) + 1) / 2;
    if code % 2 == 1 { magnitude } else { -magnitude }
}

fn skip_picture_order(bits: &mut Bits<'_>) -> Option<()> {
    match bits.exp_golomb()? {
        0 => bits.exp_golomb().map(|_| ()),
        1 => {
            bits.bit()?; // delta_pic_order_always_zero_flag
            bits.skip_signed()?;
            bits.skip_signed()?;
            let cycle = bits.exp_golomb()?;
            // At most 255 (section 7.4.2.1.1); the bytes end first anyway.
            for _ in 0..cycle.min(255) {
                bits.skip_signed()?;
            }
            Some(())
        }
        _ => Some(()),
    }
}

fn frame_size(bits: &mut Bits<'_>, chroma_format: u32) -> Option<Size> {
    let width = bits.exp_golomb()?.checked_add(1)?.checked_mul(16)?;
    let map_units = bits.exp_golomb()?.checked_add(1)?;
    let frames_only = bits.bit()?;
    if !frames_only {
        bits.bit()?; // mb_adaptive_frame_field_flag
    }
    bits.bit()?; // direct_8x8_inference_flag
    let fields = if frames_only { 1 } else { 2 };
    let height = map_units.checked_mul(16 * fields)?;
    let (mut cut_x, mut cut_y) = (0u32, 0u32);
    if bits.bit()? {
        let unit_x = if matches!(chroma_format, 1 | 2) { 2 } else { 1 };
        let unit_y = if chroma_format == 1 { 2 } else { 1 } * fields;
        let (left, right) = (bits.exp_golomb()?, bits.exp_golomb()?);
        let (top, bottom) = (bits.exp_golomb()?, bits.exp_golomb()?);
        cut_x = left.checked_add(right)?.checked_mul(unit_x)?;
        cut_y = top.checked_add(bottom)?.checked_mul(unit_y)?;
    }
    Some(Size {
        width: u16::try_from(width.checked_sub(cut_x)?).ok()?,
        height: u16::try_from(height.checked_sub(cut_y)?).ok()?,
    })
}
