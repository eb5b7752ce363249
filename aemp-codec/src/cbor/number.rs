//! Numbers that other formats do not have: half floats, integers of any size.

use std::borrow::Cow;

use crate::error::DecodeError;
use crate::lenient::Scalar;

/// The exact value of a float of half precision. Its bits are put where double precision has them.
pub(super) fn half(bits: u16) -> f64 {
    /// The difference between the biases of the exponents of double and half precision.
    const BIAS: u64 = 1023 - 15;
    let sign = u64::from(bits >> 15) << 63;
    let (exponent, fraction) = (u64::from(bits >> 10 & 31), u64::from(bits & 0x3ff));
    match exponent {
        // Multiples of 2^-24, a power of two. So the division is exact.
        0 => {
            let size = f64::from(bits & 0x3ff) / f64::from(1u32 << 24);
            f64::from_bits(size.to_bits() | sign)
        }
        31 => f64::from_bits(sign | 0x7ff << 52 | fraction << 42),
        _ => f64::from_bits(sign | (exponent + BIAS) << 52 | fraction << 42),
    }
}

/// The integer -1-n.
pub(super) fn negative<'de>(n: u64) -> Scalar<'de> {
    match i64::try_from(n) {
        Ok(n) => Scalar::Int(-1 - n),
        Err(_) => Scalar::Str(Cow::Owned((-1 - i128::from(n)).to_string())),
    }
}

/// The largest number of octets of an integer. Larger ones are refused, because making their digits takes quadratic
/// time.
const LARGEST: usize = 256;

/// An integer of any size, from its octets, or from those of -1-n.
pub(super) fn big<'de>(octets: &[u8], is_negative: bool) -> Result<Scalar<'de>, DecodeError> {
    let zeros = octets.iter().take_while(|&&octet| octet == 0).count();
    let octets = &octets[zeros..];
    if octets.len() > LARGEST {
        let text = format!("an integer of more than {LARGEST} octets");
        return Err(DecodeError::mismatch(text));
    }
    if octets.len() <= 8 {
        let n = octets.iter().fold(0, |n, &octet| n << 8 | u64::from(octet));
        return Ok(match (is_negative, i64::try_from(n)) {
            (true, _) => negative(n),
            (false, Ok(n)) => Scalar::Int(n),
            (false, Err(_)) => Scalar::UInt(n),
        });
    }
    let mut text = String::new();
    if is_negative {
        text.push('-');
    }
    push_digits(&mut text, octets, is_negative.into());
    Ok(Scalar::Str(Cow::Owned(text)))
}

/// The decimal digits of an integer plus `more`.
fn push_digits(out: &mut String, octets: &[u8], more: u64) {
    const BILLION: u64 = 1_000_000_000;
    // In groups of nine digits, the last group first.
    let mut groups = vec![0u64];
    for (i, &octet) in octets.iter().enumerate() {
        let last = i + 1 == octets.len();
        let mut carry = u64::from(octet) + if last { more } else { 0 };
        for group in &mut groups {
            carry += *group << 8;
            *group = carry % BILLION;
            carry /= BILLION;
        }
        if carry > 0 {
            groups.push(carry);
        }
    }
    for (i, group) in groups.iter().rev().enumerate() {
        let digits = group.to_string();
        if i > 0 {
            out.extend(std::iter::repeat_n('0', 9 - digits.len()));
        }
        out.push_str(&digits);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn halves() {
        for (bits, x) in [
            (0x0000, 0.0),
            (0x3c00, 1.0),
            (0x3e00, 1.5),
            (0xc400, -4.0),
            (0x7bff, 65504.0),
            (0x0001, 5.960_464_477_539_063e-8),
            (0x0400, 0.000_061_035_156_25),
            (0x7c00, f64::INFINITY),
            (0xfc00, f64::NEG_INFINITY),
        ] {
            assert_eq!(half(bits), x, "{bits:x}");
        }
        assert!(half(0x7e00).is_nan());
        assert!(half(0x8000).is_sign_negative());
    }

    /// The same by counting: each half float is larger than the one before by a step of its binade.
    #[test]
    fn every_half() {
        // Under Miri only the first binades are tried.
        let end = if cfg!(miri) { 0x0810 } else { 0x7c00 };
        let mut expected = 0.0f64;
        for bits in 0..end {
            for (bits, expected) in [(bits, expected), (bits | 0x8000, -expected)] {
                assert_eq!(half(bits).to_bits(), expected.to_bits(), "{bits:x}");
            }
            let binade = u64::from((bits >> 10).max(1));
            // 2^(binade - 25), made of its bits. Sums of such numbers are exact.
            expected += f64::from_bits((binade + 1023 - 25) << 52);
        }
        assert_eq!(expected, if cfg!(miri) { half(end) } else { 65536.0 });
        let step = if cfg!(miri) { 100 } else { 1 };
        for bits in (0x7c01..0x8000u16).chain(0xfc01..=0xffff).step_by(step) {
            let x = half(bits);
            assert!(x.is_nan(), "{bits:x}");
            assert_eq!(x.is_sign_negative(), bits >= 0x8000, "{bits:x}");
        }
    }

    fn text(octets: &[u8], is_negative: bool) -> String {
        let number = big(octets, is_negative).expect("not too large");
        number.into_text().into_owned()
    }

    #[test]
    fn integers_of_any_size() {
        assert_eq!(text(&[], false), "0");
        assert_eq!(text(&[], true), "-1");
        assert_eq!(text(&[0, 0, 0xff], false), "255");
        assert_eq!(text(&[0xff; 8], false), "18446744073709551615");
        assert_eq!(text(&[0xff; 8], true), "-18446744073709551616");
        assert_eq!(
            text(&[1, 0, 0, 0, 0, 0, 0, 0, 0], false),
            "18446744073709551616"
        );
        assert_eq!(
            text(&[0x7f; 16], true),
            format!("-{}", 0x7f7f_7f7f_7f7f_7f7f_7f7f_7f7f_7f7f_7f7f_u128 + 1)
        );
        assert_eq!(text(&[0xff; 16], false), u128::MAX.to_string());
        assert_eq!(
            text(&[0xff; 16], true),
            "-340282366920938463463374607431768211456"
        );
        let googol = b"\x12\x49\xad\x25\x94\xc3\x7c\xeb\x0b\x27\x84\xc4\xce\x0b\xf3\x8a\xce\x40\x8e\x21\x1a\x7c\xaa\xb2\x43\x08\xa8\x2e\x8f\x10\0\0\0\0\0\0\0\0\0\0\0\0";
        assert_eq!(text(googol, false), format!("1{}", "0".repeat(100)));
        assert!(big(&[1; LARGEST + 1], false).is_err());
    }
}
