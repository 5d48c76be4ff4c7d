"""The worker: plan, render chunk, assemble. Runs alone in a Lambda, so it never imports prefect."""
