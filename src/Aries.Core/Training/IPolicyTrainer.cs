namespace Aries;

/// <summary>Trains a policy: checkpoint and data in, checkpoint out. Losses, optimiser and schedule are the trainer's own options.</summary>
/// <threadsafety>Calls may come from any thread, one at a time.</threadsafety>
public interface IPolicyTrainer
{
    /// <summary>Learns given responses: ARIES, Eq. 4, where the examples are <see cref="SupervisedExample.FromPairs"/> of triples.</summary>
    /// <param name="request">What to learn, from where, to where.</param>
    /// <param name="progress">Told after each optimiser step, on the training thread, before the state of that step is saved: a training that goes on tells again of steps, but leaves none out. Or null.</param>
    /// <param name="cancellationToken">Looked at once a micro-batch at least. A cancelled training leaves its state and no output.</param>
    /// <exception cref="ArgumentException">The request is incomplete: no example, say.</exception>
    /// <exception cref="AriesException">The training failed: files, divergence, or the state of another request.</exception>
    /// <exception cref="OperationCanceledException">The token was cancelled.</exception>
    Task<TrainingResult> TrainSupervisedAsync(
        SupervisedTrainingRequest request, Action<TrainingProgress>? progress = null, CancellationToken cancellationToken = default);

    /// <summary>Learns preferences with the trainer's loss.</summary>
    /// <param name="request">What to learn, from where, against which reference, to where.</param>
    /// <param name="progress">Told after each optimiser step, on the training thread, before the state of that step is saved: a training that goes on tells again of steps, but leaves none out. Or null.</param>
    /// <param name="cancellationToken">Looked at once a micro-batch at least. A cancelled training leaves its state and no output.</param>
    /// <exception cref="ArgumentException">The request is incomplete: no pair, say.</exception>
    /// <exception cref="AriesException">The training failed: files, divergence, or the state of another request.</exception>
    /// <exception cref="OperationCanceledException">The token was cancelled.</exception>
    Task<TrainingResult> TrainPreferencesAsync(
        PreferenceTrainingRequest request, Action<TrainingProgress>? progress = null, CancellationToken cancellationToken = default);

    /// <summary>Returns a text that names the trainer and every option that changes its results, so that a run can refuse to resume under others.</summary>
    string Describe();
}
