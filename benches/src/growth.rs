//! Growth: the cost of an operation against the number of things of one kind, on a logarithmic scale.
//!
//! Each point is measured in a process of its own, because the allocator keeps the memory of a larger point, and makes
//! a smaller one after it slower. A repetition measures all points once, so that a busy second of the machine falls on
//! one point of one repetition.
//!
//! A curve is compared with n log n (`fit`). Where the spread of its points leaves open whether it is steeper, the bench
//! says so, writes no picture of it, and fails. A curve may bend upward because the processor's caches are too small for
//! so many things. `--count` runs the points under callgrind instead: instructions per operation have no caches.

mod connections;
mod counted;
mod curve;
mod data;
mod fit;
mod picture;
mod ports;

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::{Command, ExitCode},
};

use self::{
    curve::{CURVES, Curve},
    data::Measured,
    fit::{Point, Verdict},
};
use crate::{bench, options::Options, runtime};

const CHILD: &str = "--growth-child";

/// The growth bench: reads the command line, measures, prints, draws.
pub fn main() -> ExitCode {
    bench::run(child, parent)
}

fn parent(arguments: &[String]) -> Result<(), String> {
    let options = Options::parse(arguments)?;
    if !options.contenders.is_empty() || !options.codecs.is_empty() {
        return Err("there are no contenders and no formats here".to_owned());
    }
    let curves = Options::choose(&options.only, &CURVES, |curve| curve.name)?;
    if options.count {
        return counted::count(&curves, options.smoke);
    }
    let (mut noisy, mut all) = (Vec::new(), Vec::new());
    for curve in curves {
        let measured = measure(&curve, &options)?;
        if !options.markdown {
            print!("{}", text(&measured));
        }
        if measured.fit().verdict == Verdict::TooNoisy {
            noisy.push(curve.name);
        } else if options.pictures {
            write(&measured)?;
        }
        all.push(measured);
    }
    if options.markdown {
        print!("{}", markdown(&all));
    }
    // The figures of a smoke run mean nothing, and neither does their noise.
    if noisy.is_empty() || options.smoke {
        return Ok(());
    }
    let noisy = noisy.join(", ");
    Err(format!(
        "TOO NOISY: {noisy}. The spread leaves open whether the curve is steeper than n log n. Measure it again when \
         the machine is quiet."
    ))
}

fn measure(curve: &Curve, options: &Options) -> Result<Measured, String> {
    let (sizes, operations) = curve.scale(options.smoke);
    let possible: Vec<_> = sizes
        .iter()
        .copied()
        .take_while(|size| (curve.possible)(*size))
        .collect();
    if let Some(impossible) = sizes.get(possible.len()) {
        println!(
            "{}: the limit of open files of this process is too low for {impossible} {} and more",
            curve.name, curve.axis
        );
    }
    let mut points: Vec<_> = possible.into_iter().map(Point::new).collect();
    for _ in 0..options.reps {
        for point in &mut points {
            let arguments = Child::new(
                curve,
                point.size,
                operations.max(point.size),
                runtime::usual_workers(),
            );
            point.figures.push(arguments.measure()?);
        }
    }
    Ok(Measured {
        name: curve.name.to_owned(),
        title: curve.title.to_owned(),
        unit: curve.unit.to_owned(),
        axis: curve.axis.to_owned(),
        reps: options.reps,
        points,
    })
}

/// The arguments of a child.
struct Child([String; 5]);

impl Child {
    fn new(curve: &Curve, size: u64, operations: u64, workers: usize) -> Self {
        let numbers = [size, operations, workers as u64].map(|number| number.to_string());
        let [size, operations, workers] = numbers;
        Self([
            CHILD.to_owned(),
            curve.name.to_owned(),
            size,
            operations,
            workers,
        ])
    }

    /// The nanoseconds of an operation, measured in a new process.
    fn measure(&self) -> Result<f64, String> {
        let program = env::current_exe().map_err(|error| error.to_string())?;
        let output = Command::new(program).args(&self.0).output();
        let output = output.map_err(|error| format!("cannot start a process: {error}"))?;
        let told = String::from_utf8_lossy(&output.stdout);
        told.trim().parse().map_err(|_| {
            let why = String::from_utf8_lossy(&output.stderr);
            format!(
                "{}: it ended with {}: {why}",
                self.0.join(" "),
                output.status
            )
        })
    }
}

/// Runs the child's part, if the arguments are those of a child.
fn child(arguments: &[String]) -> Option<Result<(), String>> {
    let [flag, name, size, operations, workers] = arguments else {
        return None;
    };
    if flag != CHILD {
        return None;
    }
    let curve = CURVES.iter().find(|curve| curve.name == name)?;
    let (size, operations) = (size.parse().ok()?, operations.parse().ok()?);
    let runtime = runtime::of_workers(workers.parse().ok()?);
    let took = runtime.block_on(async {
        let task = tokio::spawn((curve.measure)(size, operations));
        task.await.expect("no workload panics")
    });
    // As exactly as the file of data has it, so that a picture is the same from either.
    println!("{:.2}", took.as_nanos() as f64 / operations as f64);
    // Without the farewells of thousands of nodes.
    std::process::exit(0)
}

fn text(measured: &Measured) -> String {
    let Measured {
        title, unit, axis, ..
    } = measured;
    let mut text = format!("{title} [{unit}]\n");
    for Point { size, figures } in &measured.points {
        text.push_str(&format!("  {size:>9} {axis:<12} {figures}\n"));
    }
    text.push_str(&format!("  {}\n\n", measured.fit()));
    text
}

/// The curves as a table for BENCHMARKS.md, with their first, middle and last points, and their pictures.
fn markdown(curves: &[Measured]) -> String {
    let mut text = String::from(
        "| curve | the first point, ns | the middle | the last | exponent, and beside n log n |\n\
         | --- | ---: | ---: | ---: | --- |\n",
    );
    let mut pictures = String::new();
    for one in curves {
        let Measured {
            name,
            points,
            title,
            axis,
            ..
        } = one;
        text.push_str(&format!("| `{name}` |"));
        for index in [0, points.len() / 2, points.len().saturating_sub(1)] {
            let Some(Point { size, figures }) = points.get(index) else {
                continue;
            };
            text.push_str(&format!(" {}: {figures} |", picture::count(*size)));
        }
        text.push_str(&format!(" {} |\n", one.fit()));
        if one.fit().verdict != Verdict::TooNoisy {
            pictures.push_str(&format!("\n![{axis}: {title}](docs/growth/{name}.svg)\n"));
        }
    }
    text + &pictures
}

/// The directory of the pictures and their data.
fn directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/growth")
}

fn write(measured: &Measured) -> Result<(), String> {
    let put = |ending: &str, text: String| {
        let path = directory().join(format!("{}.{ending}", measured.name));
        fs::write(&path, text).map_err(|error| format!("{}: {error}", path.display()))
    };
    fs::create_dir_all(directory()).map_err(|error| error.to_string())?;
    put("txt", measured.to_text())?;
    put("svg", picture::draw(measured))
}
