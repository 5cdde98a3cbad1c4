namespace Aries.Preferences;

/// <summary>How a negative log-likelihood is scaled.</summary>
public enum LossNormalization
{
    /// <summary>The sum over the response's tokens; the batch loss is the mean of these sums over pairs. Long responses weigh more.</summary>
    Sum = 0,

    /// <summary>
    /// The mean over the tokens of all chosen responses of the optimiser batch: a pair's loss is −log π · <see cref="PairBatch.PairCount"/> / <see cref="PairBatch.ChosenTokenCount"/>, so that the mean over
    /// pairs is the mean over tokens, and accumulated batches give the gradient of the whole.
    /// </summary>
    TokenMean = 1,
}
