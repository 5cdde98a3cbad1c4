using System.Text;
using Aries;
using Aries.Extensions.AI;

namespace Microsoft.Extensions.AI;

/// <summary>Reads what a refining client says of a response.</summary>
public static class RefinementChatResponseExtensions
{
    /// <summary>Returns every draft with its tokens and score, and why the refinement ended.</summary>
    /// <param name="response">The response, fresh or from a cache.</param>
    /// <returns>The chain; null where the request was not refined.</returns>
    /// <exception cref="ArgumentNullException"><paramref name="response"/> is null.</exception>
    /// <exception cref="JsonlFormatException">The property was changed, and is no chain any more.</exception>
    public static RefinementTrace? GetRefinementTrace(this ChatResponse response)
    {
        ArgumentNullException.ThrowIfNull(response);
        return Read(response.AdditionalProperties);
    }

    /// <summary>Returns every draft with its tokens and score, and why the refinement ended.</summary>
    /// <param name="update">An update of a stream; the last one of a refined answer has it.</param>
    /// <returns>The chain; null where there is none in this update.</returns>
    /// <exception cref="ArgumentNullException"><paramref name="update"/> is null.</exception>
    /// <exception cref="JsonlFormatException">The property was changed, and is no chain any more.</exception>
    public static RefinementTrace? GetRefinementTrace(this ChatResponseUpdate update)
    {
        ArgumentNullException.ThrowIfNull(update);
        return Read(update.AdditionalProperties);
    }

    // A cache gives text back as an element of JSON; its ToString is the text.
    private static RefinementTrace? Read(AdditionalPropertiesDictionary? properties) =>
        properties is not null && properties.TryGetValue(RefinementProperties.Trace, out object? value) && value?.ToString() is { } line
            ? TraceJsonl.ParseLine(Encoding.UTF8.GetBytes(line), RefinementProperties.Trace, 1)
            : null;
}
