"""Everything that outlives the process, behind contracts. Beneath the reasoning: it knows no diagnosis."""
