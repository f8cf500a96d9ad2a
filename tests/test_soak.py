"""Mixed work with many faults leaks no resources: the short form of benchmarks.soak."""

from benchmarks.soak import soak


def test_threads_files_folders_and_memory_do_not_grow_over_mixed_work_with_faults(monkeypatch, tmp_path):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))  # so that only folders of this process are counted
    work, before, after = soak(3_000, warm_up=1_500)
    assert work.requests >= 4_500
    assert {0, 200, 429, 503} <= set(work.statuses)
    assert {"revoked", "updated"} <= set(work.outcomes)
    assert after.threads <= before.threads
    assert after.files <= before.files
    assert after.folders <= before.folders
    # The journal grows on disk. A leaked frame, workspace or response in every round would be megabytes.
    assert after.resident_mb - before.resident_mb < 40
