//! What the kernel says of the processes under test.

use std::{fs, iter::Sum};

/// CPU time and memory at one moment.
#[derive(Clone, Copy, Default)]
pub struct Usage {
    /// User and system time, in µs.
    pub cpu_us: f64,
    /// Resident memory, in KiB.
    pub rss_kib: f64,
}

impl Sum for Usage {
    fn sum<I: Iterator<Item = Usage>>(all: I) -> Usage {
        all.fold(Usage::default(), |a, b| Usage {
            cpu_us: a.cpu_us + b.cpu_us,
            rss_kib: a.rss_kib + b.rss_kib,
        })
    }
}

/// Of all these processes together.
pub fn usage(pids: &[u32]) -> Result<Usage, String> {
    let read = |pid: &u32| one(*pid).ok_or(format!("process {pid} is gone"));
    pids.iter().map(read).sum()
}

fn one(pid: u32) -> Option<Usage> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // After the name, which may hold anything, utime and stime are fields 11 and 12, in ticks of 10 ms.
    let mut fields = stat[stat.rfind(')')? + 2..].split(' ').skip(11);
    let mut ticks = || fields.next()?.parse::<f64>().ok();
    let cpu_us = (ticks()? + ticks()?) * 10_000.0;
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let rss = status.lines().find_map(|l| l.strip_prefix("VmRSS:"))?;
    let rss_kib = rss.split_whitespace().next()?.parse().ok()?;
    Some(Usage { cpu_us, rss_kib })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_itself() {
        assert!(usage(&[std::process::id()]).unwrap().rss_kib > 0.0);
        assert!(usage(&[u32::MAX]).is_err());
    }
}
