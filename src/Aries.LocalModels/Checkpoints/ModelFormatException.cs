namespace Aries;

/// <summary>A file of a model (weights, configuration, tokenizer or adapter) is missing, damaged, or not of a kind that the engine reads.</summary>
/// <remarks>The message is the three properties joined: which file, what is wrong with the offending values, and what to do. Nothing was written.</remarks>
public sealed class ModelFormatException : AriesException
{
    /// <summary>Creates the exception.</summary>
    /// <param name="file">The path of the file or folder.</param>
    /// <param name="problem">What is wrong, with the values, as a sentence.</param>
    /// <param name="fix">What to do about it, as a sentence.</param>
    /// <param name="innerException">The cause, or null where there is none.</param>
    public ModelFormatException(string file, string problem, string fix, Exception? innerException = null)
        : base($"{file}: {problem} {fix}", innerException)
    {
        (File, Problem, Fix) = (file, problem, fix);
    }

    /// <summary>Gets the path of the file or folder.</summary>
    public string File { get; }

    /// <summary>Gets what is wrong, with the offending values.</summary>
    public string Problem { get; }

    /// <summary>Gets what to do about it.</summary>
    public string Fix { get; }
}
