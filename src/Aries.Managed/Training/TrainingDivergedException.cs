using System.Globalization;

namespace Aries.Managed;

/// <summary>A training step met a number that is not finite. No output was written, and the last saved state is from before that step.</summary>
public sealed class TrainingDivergedException : AriesException
{
    /// <summary>Creates the exception.</summary>
    /// <param name="step">The step, from 1.</param>
    /// <param name="cause">What was not finite.</param>
    /// <param name="value">Its value: NaN or an infinity.</param>
    /// <param name="innerException">The failure that showed it, or null.</param>
    public TrainingDivergedException(int step, string cause, double value, Exception? innerException = null)
        : base(
            string.Create(
                CultureInfo.InvariantCulture,
                $"Training diverged: {cause} was {value} at step {step}. Lower the learning rate, lengthen the warm-up or clip gradients at a smaller norm; nothing was written, and the weights that training started from are untouched."),
            innerException)
    {
        (Step, Cause, Value) = (step, cause, value);
    }

    /// <summary>Gets the step, from 1.</summary>
    public int Step { get; }

    /// <summary>Gets what was not finite.</summary>
    public string Cause { get; }

    /// <summary>Gets its value: NaN or an infinity.</summary>
    public double Value { get; }
}
