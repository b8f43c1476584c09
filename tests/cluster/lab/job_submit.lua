-- As on MeluXina, a job that names no account is refused.
function slurm_job_submit(job, partitions, user)
  if job.account == nil then
    slurm.log_user("You must specify an account (project) with --account / -A")
    return slurm.ESLURM_INVALID_ACCOUNT
  end
  return slurm.SUCCESS
end

function slurm_job_modify(job, record, partitions, user)
  return slurm.SUCCESS
end
