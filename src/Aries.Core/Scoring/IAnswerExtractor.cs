namespace Aries;

/// <summary>Reads the final answer out of a response, in a form in which equal answers are equal texts.</summary>
/// <threadsafety>Every member may be called concurrently.</threadsafety>
public interface IAnswerExtractor
{
    /// <summary>Reads the answer.</summary>
    /// <param name="response">What the policy wrote; any text, never null.</param>
    /// <returns>The normalised answer, or null where there is none. It never throws on what a model wrote.</returns>
    string? Extract(string response);
}
