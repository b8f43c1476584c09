"""The training sft, but that it says so and waits behind its second step until it is told to stop.

However late a test tells it, it has not come to its end.
"""

import time

from mimic.finetune import resume, sft
from mimic.progress import say
from mimic.step import run_step

go_on = resume.Checkpoints.on_step_end


def wait_to_be_told(self, args, state, control, **kwargs):
    if state.global_step == 2:
        say("waits behind sft step 2")
        while not self.received:
            time.sleep(0.01)
    go_on(self, args, state, control, **kwargs)


if __name__ == "__main__":
    resume.Checkpoints.on_step_end = wait_to_be_told
    run_step(sft.main)
