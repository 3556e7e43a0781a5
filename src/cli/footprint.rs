//! What only the start needed is given back: most of the code that ran while rooms were built never runs
//! again, but stays mapped and counts as ours. Linux maps it again, page by page, if it is needed.

use std::fs;

/// Unmaps the pages of our own code and returns freed heap to the system. A hint: what cannot be done is left.
pub(super) fn shrink() {
    #[cfg(target_os = "linux")]
    {
        let Ok(exe) = fs::read_link("/proc/self/exe") else { return };
        let Ok(maps) = fs::read_to_string("/proc/self/maps") else { return };
        for (start, length) in maps.lines().filter_map(|line| code_of(line, &exe.to_string_lossy())) {
            // SAFETY: a private mapping of a file that is readable, executable and never written (so never
            // changed by relocation either): pages that are dropped are read from the file again.
            unsafe { libc::madvise(start as *mut libc::c_void, length, libc::MADV_DONTNEED) };
        }
        // SAFETY: glibc's own call, safe at any time from any thread.
        #[cfg(target_env = "gnu")]
        unsafe {
            libc::malloc_trim(0);
        }
    }
}

/// Address and length of a line of `/proc/self/maps`, when it is code of the file `exe`.
fn code_of(line: &str, exe: &str) -> Option<(usize, usize)> {
    let (range, rest) = line.split_once(' ')?;
    (rest.starts_with("r-xp ") && line.ends_with(exe)).then_some(())?;
    let (start, end) = range.split_once('-')?;
    let (start, end) = (usize::from_str_radix(start, 16).ok()?, usize::from_str_radix(end, 16).ok()?);
    Some((start, end.checked_sub(start)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_our_own_code_is_let_go() {
        let exe = "/usr/bin/bluebridge";
        let cases = [
            ("55d0-55e0 r-xp 00483000 fe:00 10 /usr/bin/bluebridge", Some((0x55d0, 0x10))),
            ("55d0-55e0 r--p 0139d000 fe:00 10 /usr/bin/bluebridge", None),
            ("55d0-55e0 rw-p 0139d000 fe:00 10 /usr/bin/bluebridge", None),
            ("7f00-7f10 r-xp 00000000 fe:00 11 /usr/lib/libc.so.6", None),
            ("7f00-7f10 r-xp 00000000 00:00 0 [vdso]", None),
            ("nonsense", None),
        ];
        for (line, expected) in cases {
            assert_eq!(code_of(line, exe), expected, "{line}");
        }
    }

    #[test]
    fn the_process_goes_on_afterwards() {
        shrink();
        assert_eq!(format!("{:?}", vec![1, 2, 3]), "[1, 2, 3]");
    }
}
