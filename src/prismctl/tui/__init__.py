"""Full-screen interfaces. Nothing else loads what is in here, because Textual takes longer to load than most commands run."""
