//! Commands that print addresses.

use std::{io, process::Stdio};

use tokio::{io::AsyncReadExt, process::Command};

/// The largest output of a command that is read, in bytes.
const MOST_OUTPUT: u64 = 64 << 10;

/// Returns the lines that a command prints. Dropping the future kills the command.
pub(in crate::net) async fn run(command: &str) -> io::Result<Vec<String>> {
    let mut child = Command::new("sh")
        .args(["-c", command])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()?;
    let mut text = String::new();
    if let Some(output) = child.stdout.take() {
        output.take(MOST_OUTPUT).read_to_string(&mut text).await?;
    }
    let status = child.wait().await?;
    if !status.success() {
        return Err(io::Error::other(format!("the command failed: {status}")));
    }
    let lines = text.lines().map(str::trim);
    let lines = lines.filter(|line| !line.is_empty() && !line.starts_with('#'));
    Ok(lines.map(str::to_owned).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    #[cfg(unix)]
    async fn a_command_prints_addresses() {
        let found = run("echo a:1; echo; echo ' b:2 '; echo '# c'").await;
        assert_eq!(found.unwrap(), ["a:1", "b:2"]);
        let error = run("echo a:1; exit 3").await.unwrap_err();
        assert_eq!(error.to_string(), "the command failed: exit status: 3");
    }
}
