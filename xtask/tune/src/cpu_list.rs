//! Lists of CPUs as the kernel writes them: `0-3,8`.

/// Parses a list. What is not a number is ignored.
pub fn parse(list: &str) -> Vec<u32> {
    let mut cpus = Vec::new();
    for range in list.trim().split(',') {
        let (first, last) = range.split_once('-').unwrap_or((range, range));
        if let (Ok(first), Ok(last)) = (first.parse::<u32>(), last.parse::<u32>()) {
            // Linux supports no more CPUs than this.
            cpus.extend(first..=last.min(first.saturating_add(1 << 13)));
        }
    }
    cpus
}

pub fn format(cpus: &[u32]) -> String {
    let mut ranges: Vec<(u32, u32)> = Vec::new();
    for cpu in cpus {
        match ranges.last_mut() {
            Some((_, last)) if last.checked_add(1) == Some(*cpu) => *last = *cpu,
            _ => ranges.push((*cpu, *cpu)),
        }
    }
    let ranges = ranges.iter().map(|(first, last)| {
        if first == last {
            first.to_string()
        } else {
            format!("{first}-{last}")
        }
    });
    ranges.collect::<Vec<_>>().join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_is_written_as_it_was_read() {
        for list in ["0", "0-3", "0,2", "0-3,8,10-11", ""] {
            assert_eq!(format(&parse(list)), list);
        }
        assert_eq!(parse("0-1,x,5-\n"), [0, 1]);
    }
}
