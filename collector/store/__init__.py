"""What outlives the process, behind contracts. It is below the reasoning and knows no diagnosis."""
