from dataclasses import replace

from sysmap_core.weights.header import READ_ME, comment, header_cards, template_checksums, verdict_cards


def test_header_without_the_combined_method(run):
    sample, results, *_ = run
    cards = header_cards(sample, {"OLS": results["OLS"]})
    assert (cards["SYSFROM"], cards["SYSMODEL"]) == ("OLS", "additive")
    assert not any(key.startswith(("A_ADD", "A_CMB", "B_CMB", "LRT", "CORRECT")) for key in cards)
    assert cards["A_SYS001"] == results["OLS"].a_mean[0]


def test_checksums_of_templates(run):
    templates = run[1]["OLS"].templates
    sums = template_checksums(templates)
    assert len(set(sums)) == 3
    assert all(len(s) == 16 for s in sums)
    noise = templates.values + 1e-13
    assert template_checksums(replace(templates, values=noise)) == sums
    other = templates.values.copy()
    other[1, 7] += 1e-5
    changed = template_checksums(replace(templates, values=other))
    assert [new == old for new, old in zip(changed, sums, strict=True)] == [True, False, True]


def test_a_prior_of_the_user_is_said(run):
    sample, results, *_ = run
    assert "PRIOR" not in header_cards(sample, {"OLS": results["OLS"]})
    known = replace(results["OLS"], prior=object())
    assert header_cards(sample, {"OLS": known})["PRIOR"] is True


def test_verdict_in_cards(run):
    advice = run[3]
    assert verdict_cards(None, "combined") == {}
    cards = verdict_cards(advice, "combined")
    assert cards == {
        "CORRECT": advice.correct,
        "LOSSNONE": advice.losses["none"],
        "LOSSWITH": advice.losses["combined"],
        "PGAIN": advice.probability,
    }
    assert verdict_cards(advice, "multiplicative")["LOSSWITH"] is None


def test_comments_of_cards():
    assert comment("A_SYS012") == "additive amplitude behind WEIGHT_SYS"
    assert comment("PGAIN") == "probability that fitted amplitudes help"
    assert comment("STRANGE") == ""


def test_how_to_use_the_columns_is_three_sentences():
    assert len(READ_ME) == 3
    assert all(sentence.endswith(".") and sentence.count(". ") == 0 for sentence in READ_ME)
