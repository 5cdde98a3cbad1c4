namespace Aries;

/// <summary>The base of every failure that Aries itself reports; a caller's mistake is an <see cref="ArgumentException"/> instead.</summary>
/// <remarks>The message says what happened, with which values, and what to do; derived types carry the values as properties.</remarks>
public abstract class AriesException : Exception
{
    /// <summary>Creates the exception.</summary>
    /// <param name="message">What happened, the values, and what to do.</param>
    protected AriesException(string message)
        : base(message)
    {
    }

    /// <summary>Creates the exception with its cause.</summary>
    /// <param name="message">What happened, the values, and what to do.</param>
    /// <param name="innerException">The cause.</param>
    protected AriesException(string message, Exception? innerException)
        : base(message, innerException)
    {
    }
}
