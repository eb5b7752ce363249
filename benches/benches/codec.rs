//! Encoding and decoding of single packets, against serde_json and ciborium: best of many short batches, one thread.

use std::{
    env,
    hint::black_box,
    io,
    time::{Duration, Instant},
};

use aemp::{DecodeError, EncodeError, Format, Limits};

const PORT: &str = "4K1m2QM6Gb";
const TAG: &str = "inc";
const NUMBER: i64 = 123_456;
const SMALL: &str = "0123456789abcdefghijklmnopqrstuv";

fn main() -> Result<(), Box<dyn std::error::Error>> {
    // `cargo test --benches` passes nothing, and wants to know whether it runs.
    let arguments: Vec<_> = env::args().skip(1).collect();
    let smoke = arguments.is_empty() || arguments.iter().any(|argument| argument == "--smoke");
    let large = SMALL.repeat(2048);
    println!("{:34} {:>10} {:>10}", "", "32 bytes", "64 KiB");
    for measure in &measures() {
        let name = measure.name.replace("{}", measure.format.name());
        let small = best(measure, SMALL, if smoke { 1 } else { 3000 }, 300)?;
        let large = best(measure, &large, if smoke { 1 } else { 100 }, 50)?;
        println!("{:34} {:>7.1} ns {:>7.1} us", name, small, large / 1e3);
    }
    Ok(())
}

type Run = fn(&Format, &str, &[u8], &mut Vec<u8>) -> io::Result<()>;

#[derive(Clone)]
struct Measure {
    name: &'static str,
    format: Format,
    run: Run,
}

fn measures() -> Vec<Measure> {
    vec![
        ENCODE,
        Measure {
            name: "encode, serde_json",
            format: Format::Json,
            run: |_, text, _, out| Ok(serde_json::to_writer(out, &(PORT, TAG, NUMBER, text))?),
        },
        FRAME,
        DECODE,
        Measure {
            name: "decode, serde_json, borrowed",
            format: Format::Json,
            run: |_, _, packet, _| {
                black_box(serde_json::from_slice::<(&str, &str, i64, &str)>(packet)?);
                Ok(())
            },
        },
        in_cbor(&ENCODE),
        Measure {
            name: "encode, ciborium",
            format: Format::Cbor,
            run: |_, text, _, out| {
                let packet = (PORT, TAG, NUMBER, text);
                ciborium::into_writer(&packet, out).map_err(io::Error::other)
            },
        },
        Measure {
            name: "encode, ciborium's values",
            format: Format::Cbor,
            run: |_, text, _, out| {
                let packet: [ciborium::Value; 4] =
                    [PORT.into(), TAG.into(), NUMBER.into(), text.into()];
                let packet = ciborium::Value::Array(packet.into());
                ciborium::into_writer(&packet, out).map_err(io::Error::other)
            },
        },
        in_cbor(&FRAME),
        in_cbor(&DECODE),
        Measure {
            name: "decode, ciborium",
            format: Format::Cbor,
            run: |_, _, packet, _| {
                let packet = ciborium::from_reader::<(String, String, i64, String), _>(packet);
                black_box(packet.map_err(io::Error::other)?);
                Ok(())
            },
        },
        Measure {
            name: "decode, ciborium's values",
            format: Format::Cbor,
            run: |_, _, packet, _| {
                let packet = ciborium::from_reader::<ciborium::Value, _>(packet);
                black_box(packet.map_err(io::Error::other)?);
                Ok(())
            },
        },
    ]
}

const ENCODE: Measure = Measure {
    name: "encode, {}",
    format: Format::Json,
    run: |format, text, _, out| encode(format, text, out).map_err(io::Error::other),
};

const FRAME: Measure = Measure {
    name: "frame, {}",
    format: Format::Json,
    run: |format, _, packet, _| {
        black_box(frame(format, packet)?);
        Ok(())
    },
};

const DECODE: Measure = Measure {
    name: "frame and decode, {}, borrowed",
    format: Format::Json,
    run: |format, _, packet, _| {
        frame(format, packet)?;
        decode(format, packet).map_err(io::Error::other)
    },
};

fn in_cbor(measure: &Measure) -> Measure {
    let Measure { name, run, .. } = *measure;
    let format = Format::Cbor;
    Measure { name, format, run }
}

/// Nanoseconds of the quickest of `batches`.
fn best(measure: &Measure, text: &str, batches: u32, batch: u32) -> io::Result<f64> {
    let format = measure.format.clone();
    let mut packet = Vec::new();
    encode(&format, text, &mut packet).map_err(io::Error::other)?;
    let mut out = Vec::with_capacity(packet.len());
    let mut best = Duration::MAX;
    for _ in 0..batches {
        let start = Instant::now();
        for _ in 0..batch {
            out.clear();
            (measure.run)(
                black_box(&format),
                black_box(text),
                black_box(&packet),
                &mut out,
            )?;
        }
        best = best.min(start.elapsed() / batch);
    }
    Ok(best.as_nanos() as f64)
}

fn encode(format: &Format, text: &str, out: &mut Vec<u8>) -> Result<(), EncodeError> {
    let mut packet = format.writer(out, Limits::default());
    packet.str(PORT)?;
    packet.str(TAG)?;
    packet.arg(&NUMBER)?;
    packet.arg(text)?;
    packet.finish()
}

fn frame(format: &Format, packet: &[u8]) -> io::Result<usize> {
    let found = format.framer(Limits::default()).scan(packet);
    let found = found.map_err(io::Error::other)?;
    found
        .map(|range| range.end)
        .ok_or_else(|| io::ErrorKind::UnexpectedEof.into())
}

fn decode(format: &Format, packet: &[u8]) -> Result<(), DecodeError> {
    let mut packet = format.reader(packet, Limits::default())?;
    black_box((packet.text()?, packet.text()?));
    black_box((packet.required::<i64>()?, packet.required::<&str>()?));
    black_box(packet.finish()?);
    Ok(())
}
