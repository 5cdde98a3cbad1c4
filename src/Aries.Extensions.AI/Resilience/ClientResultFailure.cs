using System.Diagnostics.CodeAnalysis;

namespace Aries.Extensions.AI;

/// <summary>Reads a failure of System.ClientModel, on which the clients of OpenAI's and Azure's services stand.</summary>
/// <remarks>
/// By names, so that this package does not depend on that one. The names are constants, which a trimmer understands: it keeps these members in an app that has them. An app that has them not
/// has no such failure either.
/// </remarks>
internal static class ClientResultFailure
{
    private const DynamicallyAccessedMemberTypes Members = DynamicallyAccessedMemberTypes.PublicProperties | DynamicallyAccessedMemberTypes.PublicMethods;

    [DynamicallyAccessedMembers(Members)]
    private static readonly Type? Failure = Type.GetType("System.ClientModel.ClientResultException, System.ClientModel");

    [DynamicallyAccessedMembers(Members)]
    private static readonly Type? Response = Type.GetType("System.ClientModel.Primitives.PipelineResponse, System.ClientModel");

    [DynamicallyAccessedMembers(Members)]
    private static readonly Type? Headers = Type.GetType("System.ClientModel.Primitives.PipelineResponseHeaders, System.ClientModel");

    /// <summary>Returns the HTTP status, 0 where no response came; null for another exception.</summary>
    public static int? FindStatus(Exception exception) => Failure?.IsInstanceOfType(exception) == true ? Failure.GetProperty("Status")?.GetValue(exception) as int? : null;

    /// <summary>Returns a header of the response; null where there is none, and for another exception.</summary>
    public static string? FindHeader(Exception exception, string name)
    {
        if (Failure?.IsInstanceOfType(exception) != true || Failure.GetMethod("GetRawResponse", Type.EmptyTypes)?.Invoke(exception, null) is not { } response)
        {
            return null;
        }

        object? headers = Response?.GetProperty("Headers")?.GetValue(response);
        object?[] arguments = [name, null];
        return headers is not null && Headers?.GetMethod("TryGetValue", [typeof(string), typeof(string).MakeByRefType()])?.Invoke(headers, arguments) is true ? arguments[1] as string : null;
    }
}
